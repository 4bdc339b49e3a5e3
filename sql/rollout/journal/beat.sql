-- name: beat
-- about: A sign of life; one row while the token is the holder.
-- timescaledb: >=0.0
-- params: token
-- columns: held int
-- budget_ms: 20
UPDATE ms5ops.lease SET heartbeat_at = clock_timestamp() WHERE token = :token RETURNING 1 AS held
