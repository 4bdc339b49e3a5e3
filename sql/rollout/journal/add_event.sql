-- name: add_event
-- about: Something that happened.
-- timescaledb: >=0.0
-- params: deployment, operation, actor, level, message
-- columns: none
-- budget_ms: 20
INSERT INTO ms5ops.event (deployment, operation, actor, level, message)
VALUES (:deployment, :operation, :actor, :level, :message)
