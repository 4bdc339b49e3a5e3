-- name: set_deployment
-- about: How far a deployment is. finished: whether its end is now.
-- timescaledb: >=0.0
-- params: id, status, direction, note, finished
-- columns: none
-- budget_ms: 20
UPDATE ms5ops.deployment SET status = :status, direction = :direction, note = coalesce(:note, note),
    finished_at = CASE WHEN :finished THEN clock_timestamp() END
WHERE id = :id
