-- name: end_backend
-- about: End what a dead holder left running on the server (its statement goes on when its client is gone).
-- timescaledb: >=0.0
-- params: backend_pid, taken_at
-- columns: ended boolean
-- budget_ms: 20
SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity
WHERE pid = :backend_pid AND datname = current_database() AND application_name = 'ms5ops' AND backend_start <= :taken_at
