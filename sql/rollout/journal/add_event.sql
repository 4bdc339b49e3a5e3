-- name: add_event
-- about: Something that happened; without its deployment where that is not entered yet (the lease is taken before).
-- timescaledb: >=0.0
-- params: deployment, operation, actor, level, message
-- columns: none
-- budget_ms: 20
INSERT INTO ms5ops.event (deployment, operation, actor, level, message)
VALUES ((SELECT id FROM ms5ops.deployment WHERE id = CAST(:deployment AS uuid)), :operation, :actor, :level, :message)
