-- name: policy_jobs
-- about: The same from the public views, where the time zone of a fixed schedule is not told.
-- timescaledb: >=2.11
-- columns: job_id int; proc_schema text; proc_name text; target_schema text; target_name text; owner text; schedule_interval text; max_runtime text; max_retries int; retry_period text; scheduled boolean; fixed_schedule boolean; initial_start timestamptz; timezone text; config jsonb; next_start timestamptz
-- budget_ms: 20
SELECT
    j.job_id,
    j.proc_schema::text AS proc_schema,
    j.proc_name::text AS proc_name,
    coalesce(a.view_schema, j.hypertable_schema)::text AS target_schema,
    coalesce(a.view_name, j.hypertable_name)::text AS target_name,
    j.owner::text AS owner,
    j.schedule_interval::text AS schedule_interval,
    j.max_runtime::text AS max_runtime,
    j.max_retries,
    j.retry_period::text AS retry_period,
    j.scheduled,
    j.fixed_schedule,
    CASE WHEN isfinite(j.initial_start) THEN j.initial_start END AS initial_start,
    NULL::text AS timezone,
    j.config,
    CASE WHEN isfinite(j.next_start) THEN j.next_start END AS next_start
FROM timescaledb_information.jobs j
LEFT JOIN timescaledb_information.continuous_aggregates a
    ON a.materialization_hypertable_schema = j.hypertable_schema
    AND a.materialization_hypertable_name = j.hypertable_name
WHERE j.job_id >= 1000
ORDER BY j.job_id
