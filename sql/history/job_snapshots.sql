-- name: job_snapshots
-- about: State and totals of each job of one database at each snapshot, oldest first.
-- params: source
-- columns: taken_at timestamptz; origin text; job_id count; kind text; target text; scheduled boolean; state text; total_runs count; total_failures count; consecutive_failures count; overdue_seconds seconds
-- budget_ms: 50
SELECT s.taken_at, s.origin, j.job_id, j.kind, j.target, j.scheduled, j.state, j.total_runs, j.total_failures,
       j.consecutive_failures, j.overdue_seconds
FROM snapshot s
JOIN snapshot_job j USING (snapshot_id)
WHERE s.source = $source
ORDER BY s.taken_at, j.job_id
