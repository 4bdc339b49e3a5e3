-- name: take_lease
-- about: Become the holder.
-- timescaledb: >=0.0
-- params: token, deployment, actor, host, pid
-- columns: none
-- budget_ms: 20
UPDATE ms5ops.lease SET token = :token, deployment = :deployment, actor = :actor, host = :host, pid = :pid,
    backend_pid = pg_backend_pid(), taken_at = clock_timestamp(), heartbeat_at = clock_timestamp()
