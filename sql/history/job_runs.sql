-- name: job_runs
-- about: The collected runs of one database's background jobs that started since an instant, oldest first.
-- params: source, since
-- columns: job_id count; started_at timestamptz; finished_at timestamptz; succeeded boolean; message text
-- budget_ms: 50
SELECT job_id, started_at, finished_at, succeeded, message
FROM job_run
WHERE source = $source AND started_at >= $since
ORDER BY started_at, job_id
