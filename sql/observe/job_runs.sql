-- name: job_runs
-- about: Failed runs of background jobs, newest first. Before 2.15 the server records no successful run.
-- timescaledb: >=2.11, <2.15
-- params: since, limit
-- columns: job_id int; start timestamptz; finish timestamptz; succeeded boolean; is_running boolean; error_code text; message text
-- budget_ms: 40
SELECT
    job_id,
    CASE WHEN isfinite(start_time) THEN start_time END AS start,
    CASE WHEN isfinite(finish_time) THEN finish_time END AS finish,
    false AS succeeded,
    false AS is_running,
    sqlerrcode AS error_code,
    err_message AS message
FROM timescaledb_information.job_errors
WHERE coalesce(finish_time, start_time) >= CAST(:since AS timestamptz)
ORDER BY start_time DESC NULLS LAST
LIMIT CAST(:limit AS bigint)
