-- name: undo_operation
-- about: An operation is being undone, or is undone.
-- timescaledb: >=0.0
-- params: deployment, ordinal, status
-- columns: none
-- budget_ms: 20
UPDATE ms5ops.operation SET status = :status, error = NULL,
    undone_at = CASE WHEN :status = 'undone' THEN clock_timestamp() END
WHERE deployment = :deployment AND ordinal = :ordinal
