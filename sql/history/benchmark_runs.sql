-- name: benchmark_runs
-- about: Headers of benchmark runs, oldest first; every parameter that is null leaves out its condition.
-- params: run_ids, source, since, until
-- columns: run_id text; source text; environment text; origin text; label text; actor text; started_at timestamptz; finished_at timestamptz; anchor timestamptz; suite_hash text; seed count; is_quick boolean; is_partial boolean; is_summary boolean; note text; surroundings json
-- budget_ms: 50
SELECT run_id::TEXT AS run_id, source, environment, origin, label, actor, started_at, finished_at, anchor, suite_hash,
       seed, is_quick, is_partial, is_summary, note, surroundings::TEXT AS surroundings
FROM benchmark_run
WHERE ($run_ids IS NULL OR run_id IN (SELECT unnest($run_ids::UUID[])))
  AND ($source IS NULL OR source = $source)
  AND ($since IS NULL OR started_at >= $since)
  AND ($until IS NULL OR started_at < $until)
ORDER BY started_at, run_id
