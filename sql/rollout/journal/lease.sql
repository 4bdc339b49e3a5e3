-- name: lease
-- about: Who holds the database now, and how long ago it gave a sign of life.
-- timescaledb: >=0.0
-- columns: token uuid; deployment uuid; actor text; host text; pid int; backend_pid int; taken_at timestamptz; read_at timestamptz; age_seconds seconds
-- budget_ms: 20
SELECT token, deployment, actor, host, pid, backend_pid, taken_at,
    clock_timestamp() AS read_at,
    extract(epoch FROM clock_timestamp() - heartbeat_at)::float8 AS age_seconds
FROM ms5ops.lease
