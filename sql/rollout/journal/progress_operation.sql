-- name: progress_operation
-- about: How far a running operation is; keys that are not given stay.
-- timescaledb: >=0.0
-- params: deployment, ordinal, progress
-- columns: none
-- budget_ms: 20
UPDATE ms5ops.operation SET progress = progress || CAST(:progress AS jsonb)
WHERE deployment = :deployment AND ordinal = :ordinal
