-- name: add_operation
-- about: One operation of a new deployment, pending.
-- timescaledb: >=0.0
-- params: deployment, ordinal, key, phase, before
-- columns: none
-- budget_ms: 20
INSERT INTO ms5ops.operation (deployment, ordinal, key, phase, before)
VALUES (:deployment, :ordinal, :key, :phase, CAST(:before AS jsonb))
