-- name: transactions
-- about: How the transactions and sessions of this database ended, counted since an instant. PostgreSQL counts no failed statements: one that fails, is cancelled or times out rolls its transaction back. to_jsonb, because PostgreSQL 13 has no counts of sessions.
-- timescaledb: >=2.11
-- columns: counted_since timestamptz; committed count; rolled_back count; deadlocks count; conflicts count; sessions_ended count
-- budget_ms: 20
SELECT
    coalesce(d.stats_reset, pg_postmaster_start_time()) AS counted_since,
    d.xact_commit AS committed,
    d.xact_rollback AS rolled_back,
    d.deadlocks,
    d.conflicts,
    (counts ->> 'sessions_abandoned')::bigint + (counts ->> 'sessions_fatal')::bigint + (counts ->> 'sessions_killed')::bigint
        AS sessions_ended
FROM pg_stat_database AS d, to_jsonb(d) AS counts
WHERE d.datname = current_database()
