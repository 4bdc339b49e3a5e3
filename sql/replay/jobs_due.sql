-- name: jobs_due
-- about: How many background jobs the embedded engine's scheduler has still to run at the instant that its calendar shows.
-- columns: due count
-- budget_ms: 20
SELECT count(*) AS due
FROM _timescaledb_config.bgw_job AS j
LEFT JOIN _timescaledb_internal.bgw_job_stat AS s ON s.job_id = j.id
WHERE j.scheduled AND j.proc_name <> 'policy_telemetry' AND (s.job_id IS NULL OR s.next_start <= now())
