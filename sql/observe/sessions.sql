-- name: sessions
-- about: Sessions of this database other than this one, longest at their present business first; whom they wait for only where they wait for a lock.
-- timescaledb: >=2.11
-- columns: pid int; role text; application text; client text; backend_type text; state text; waits_for text; connected_at timestamptz; transaction_started_at timestamptz; query_started_at timestamptz; state_changed_at timestamptz; blocked_by int[]; query text
-- budget_ms: 20
SELECT
    pid,
    usename::text AS role,
    application_name AS application,
    client_addr::text AS client,
    backend_type,
    state,
    CASE WHEN wait_event IS NOT NULL THEN wait_event_type || ' ' || wait_event END AS waits_for,
    backend_start AS connected_at,
    xact_start AS transaction_started_at,
    query_start AS query_started_at,
    state_change AS state_changed_at,
    CASE WHEN wait_event_type = 'Lock' THEN pg_blocking_pids(pid) ELSE '{}' END AS blocked_by,
    left(query, 500) AS query
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
ORDER BY coalesce(xact_start, query_start, state_change, backend_start)
