-- name: retention_runs
-- about: Retention jobs on a hypertable, and how often each has run; no row where the name is not a hypertable's.
-- timescaledb: >=2.11
-- params: schema, table
-- columns: job_id int; total_runs bigint
-- budget_ms: 20
SELECT j.job_id, coalesce(s.total_runs, 0) AS total_runs
FROM timescaledb_information.jobs j
LEFT JOIN timescaledb_information.job_stats s ON s.job_id = j.job_id
WHERE j.proc_name = 'policy_retention' AND j.hypertable_schema = :schema AND j.hypertable_name = :table
