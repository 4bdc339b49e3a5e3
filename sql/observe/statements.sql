-- name: statements
-- about: Statements of this database that took the most time since the statistics were last reset (needs pg_stat_statements).
-- timescaledb: >=2.11
-- params: limit
-- columns: statement text; role text; calls count; total_ms ms; mean_ms ms; max_ms ms; rows rows; cache_hit_share share; temporary_blocks count
-- budget_ms: 60
SELECT
    left(s.query, 2000) AS statement,
    pg_get_userbyid(s.userid)::text AS role,
    sum(s.calls)::bigint AS calls,
    sum(s.total_exec_time) AS total_ms,
    sum(s.total_exec_time) / nullif(sum(s.calls), 0) AS mean_ms,
    max(s.max_exec_time) AS max_ms,
    sum(s.rows)::bigint AS rows,
    sum(s.shared_blks_hit)::float / nullif(sum(s.shared_blks_hit + s.shared_blks_read), 0)::float AS cache_hit_share,
    sum(s.temp_blks_written)::bigint AS temporary_blocks
FROM {statements} s
WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
GROUP BY 1, 2
ORDER BY 4 DESC
LIMIT CAST(:limit AS bigint)
