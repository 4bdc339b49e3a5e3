-- name: job_runs
-- about: The collected runs of one database's background jobs that started since an instant, oldest first. Where none was kept with a run, its origin is told from the snapshots: a database that months were replayed on had no other run until the last replayed snapshot.
-- params: source, since
-- columns: job_id count; started_at timestamptz; finished_at timestamptz; succeeded boolean; message text; origin text
-- budget_ms: 50
WITH known AS (
    SELECT max(taken_at) FILTER (origin = 'replayed') AS replayed_until,
        max(origin) FILTER (origin <> 'replayed') AS otherwise
    FROM snapshot
    WHERE source = $source
)
SELECT job_id, started_at, finished_at, succeeded, message,
    coalesce(origin, CASE WHEN started_at <= replayed_until THEN 'replayed' ELSE coalesce(otherwise, 'measured') END)
        AS origin
FROM job_run
CROSS JOIN known
WHERE source = $source AND started_at >= $since
ORDER BY started_at, job_id
