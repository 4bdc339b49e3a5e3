-- name: start_operation
-- about: An operation begins, or begins again.
-- timescaledb: >=0.0
-- params: deployment, ordinal, status
-- columns: none
-- budget_ms: 20
UPDATE ms5ops.operation SET status = :status, started_at = coalesce(started_at, clock_timestamp()), finished_at = NULL,
    attempts = attempts + 1, error = NULL
WHERE deployment = :deployment AND ordinal = :ordinal
