-- name: set_deployment
-- about: How far a deployment is. finished: whether its end is now. A run that begins anew drops the reason why the last one stopped.
-- timescaledb: >=0.0
-- params: id, status, direction, note, finished
-- columns: none
-- budget_ms: 20
UPDATE ms5ops.deployment SET status = :status, direction = :direction,
    note = coalesce(:note, CASE WHEN :status = 'running' AND status NOT IN ('planned', 'running') THEN NULL ELSE note END),
    finished_at = CASE WHEN :finished THEN clock_timestamp() END
WHERE id = :id
