-- name: jobs
-- about: Background jobs with their schedule, target by its user-facing name, and totals. Infinite instants (started, not yet finished; never run) are null.
-- timescaledb: >=2.11, <2.30
-- columns: job_id int; application_name text; proc_schema text; proc_name text; owner text; target_schema text; target_name text; schedule_interval interval; max_runtime interval; max_retries int; retry_period interval; scheduled boolean; fixed_schedule boolean; config jsonb; compress_after interval; drop_after interval; start_offset interval; end_offset interval; initial_start timestamptz; next_start timestamptz; last_start timestamptz; last_successful_finish timestamptz; last_finish timestamptz; last_duration interval; last_succeeded boolean; is_running boolean; total_runs int; total_successes int; total_failures int; consecutive_failures int; consecutive_crashes int
-- budget_ms: 20
SELECT
    j.job_id,
    j.application_name::text AS application_name,
    j.proc_schema::text AS proc_schema,
    j.proc_name::text AS proc_name,
    j.owner::text AS owner,
    coalesce(a.view_schema, j.hypertable_schema)::text AS target_schema,
    coalesce(a.view_name, j.hypertable_name)::text AS target_name,
    j.schedule_interval,
    j.max_runtime,
    j.max_retries,
    j.retry_period,
    j.scheduled,
    j.fixed_schedule,
    j.config,
    CASE WHEN j.config ->> 'compress_after' !~ '^-?[0-9]+$' THEN (j.config ->> 'compress_after')::interval END AS compress_after,
    CASE WHEN j.config ->> 'drop_after' !~ '^-?[0-9]+$' THEN (j.config ->> 'drop_after')::interval END AS drop_after,
    CASE WHEN j.config ->> 'start_offset' !~ '^-?[0-9]+$' THEN (j.config ->> 'start_offset')::interval END AS start_offset,
    CASE WHEN j.config ->> 'end_offset' !~ '^-?[0-9]+$' THEN (j.config ->> 'end_offset')::interval END AS end_offset,
    CASE WHEN isfinite(j.initial_start) THEN j.initial_start END AS initial_start,
    CASE WHEN isfinite(t.next_start) THEN t.next_start END AS next_start,
    CASE WHEN isfinite(t.last_run_started_at) THEN t.last_run_started_at END AS last_start,
    CASE WHEN isfinite(t.last_successful_finish) THEN t.last_successful_finish END AS last_successful_finish,
    CASE WHEN isfinite(b.last_finish) THEN b.last_finish END AS last_finish,
    CASE WHEN isfinite(t.last_run_started_at) THEN t.last_run_duration END AS last_duration,
    t.last_run_status = 'Success' AS last_succeeded,
    coalesce(t.job_status = 'Running', false) AS is_running,
    coalesce(t.total_runs, 0) AS total_runs,
    coalesce(t.total_successes, 0) AS total_successes,
    coalesce(t.total_failures, 0) AS total_failures,
    coalesce(b.consecutive_failures, 0) AS consecutive_failures,
    coalesce(b.consecutive_crashes, 0) AS consecutive_crashes
FROM timescaledb_information.jobs j
LEFT JOIN (
    SELECT DISTINCT ON (job_id) *
    FROM timescaledb_information.job_stats
    ORDER BY job_id, job_status = 'Running' DESC
) t ON t.job_id = j.job_id
LEFT JOIN timescaledb_information.continuous_aggregates a
    ON a.materialization_hypertable_schema = j.hypertable_schema
    AND a.materialization_hypertable_name = j.hypertable_name
LEFT JOIN _timescaledb_internal.bgw_job_stat b ON b.job_id = j.job_id
ORDER BY j.job_id
