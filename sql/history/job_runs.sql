-- name: job_runs
-- about: Every run of a background job that was ever collected from one database, oldest first.
-- params: source
-- columns: job_id count; started_at timestamptz; finished_at timestamptz; succeeded boolean; message text
-- budget_ms: 50
SELECT job_id, started_at, finished_at, succeeded, message
FROM job_run
WHERE source = $source
ORDER BY started_at, job_id
