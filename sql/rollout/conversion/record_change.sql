-- name: record_change
-- about: Writes down progress: what is null stays as it is.
-- timescaledb: >=2.11
-- params: id, step, status, order_index, position, compared_until, copied, caught_up, compared, checksum, blocked_ms, kept_dropped
-- columns: id bigint
-- budget_ms: 10
UPDATE ms5ops.conversion SET
    heartbeat = clock_timestamp(),
    step = coalesce(:step, step),
    status = coalesce(:status, status),
    order_index = coalesce(:order_index, order_index),
    position = coalesce(CAST(:position AS jsonb), position),
    compared_until = coalesce(:compared_until, compared_until),
    rows_copied = rows_copied + :copied,
    rows_caught_up = rows_caught_up + :caught_up,
    rows_compared = rows_compared + :compared,
    checksum = checksum + CAST(:checksum AS numeric),
    blocked_ms = coalesce(CAST(:blocked_ms AS float8), blocked_ms),
    finished_at = CASE WHEN :status IN ('done', 'abandoned') THEN clock_timestamp() ELSE finished_at END,
    kept_dropped_at = CASE WHEN CAST(:kept_dropped AS boolean) THEN clock_timestamp() ELSE kept_dropped_at END
WHERE id = :id
RETURNING id
