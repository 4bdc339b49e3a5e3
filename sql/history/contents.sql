-- name: contents
-- about: How much the history holds: one row.
-- columns: snapshots count; job_runs count; benchmark_runs count; samples count
-- budget_ms: 50
SELECT (SELECT count(*) FROM snapshot) AS snapshots, (SELECT count(*) FROM job_run) AS job_runs,
       (SELECT count(*) FROM benchmark_run) AS benchmark_runs, (SELECT count(*) FROM benchmark_sample) AS samples
