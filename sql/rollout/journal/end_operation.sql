-- name: end_operation
-- about: An operation is done, failed, skipped or pending again.
-- timescaledb: >=0.0
-- params: deployment, ordinal, status, error
-- columns: none
-- budget_ms: 20
UPDATE ms5ops.operation SET status = :status, error = :error,
    finished_at = CASE WHEN :status IN ('done', 'failed', 'skipped') THEN clock_timestamp()
        WHEN :status = 'undoing' THEN finished_at END
WHERE deployment = :deployment AND ordinal = :ordinal
