-- name: release_lease
-- about: Nobody holds the database any more.
-- timescaledb: >=0.0
-- params: token
-- columns: none
-- budget_ms: 20
UPDATE ms5ops.lease SET token = NULL, deployment = NULL, actor = NULL, host = NULL, pid = NULL, backend_pid = NULL,
    taken_at = NULL, heartbeat_at = NULL
WHERE token = :token
