-- name: job_runs
-- about: Runs of background jobs, newest first. Successful ones are recorded only where timescaledb.enable_job_execution_logging is on.
-- timescaledb: >=2.15
-- params: since, limit
-- columns: job_id int; start timestamptz; finish timestamptz; succeeded boolean; is_running boolean; error_code text; message text
-- budget_ms: 40
SELECT
    job_id,
    CASE WHEN isfinite(start_time) THEN start_time END AS start,
    CASE WHEN isfinite(finish_time) THEN finish_time END AS finish,
    succeeded,
    succeeded IS NULL AND finish_time IS NULL AND pid IS NOT NULL AND start_time >= pg_postmaster_start_time() AS is_running,
    sqlerrcode AS error_code,
    err_message AS message
FROM timescaledb_information.job_history
WHERE start_time >= CAST(:since AS timestamptz)
ORDER BY start_time DESC NULLS LAST
LIMIT CAST(:limit AS bigint)
