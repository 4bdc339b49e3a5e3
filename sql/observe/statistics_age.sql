-- name: statistics_age
-- about: Since when the database's usage statistics count, and how it fares as a whole.
-- timescaledb: >=2.11
-- columns: counted_since timestamptz; cache_hit_share share; deadlocks count; temporary_bytes bytes; rolled_back_share share
-- budget_ms: 20
SELECT
    coalesce(stats_reset, pg_postmaster_start_time()) AS counted_since,
    blks_hit::float / nullif(blks_hit + blks_read, 0) AS cache_hit_share,
    deadlocks,
    temp_bytes AS temporary_bytes,
    xact_rollback::float / nullif(xact_commit + xact_rollback, 0) AS rolled_back_share
FROM pg_stat_database
WHERE datname = current_database()
