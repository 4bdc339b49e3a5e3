-- name: next_run
-- about: When the embedded engine's next background job is due.
-- columns: next_start timestamptz
-- budget_ms: 20
SELECT min(s.next_start) FILTER (WHERE isfinite(s.next_start)) AS next_start
FROM _timescaledb_config.bgw_job AS j
JOIN _timescaledb_internal.bgw_job_stat AS s ON s.job_id = j.id
WHERE j.scheduled AND j.proc_name <> 'policy_telemetry'
