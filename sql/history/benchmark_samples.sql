-- name: benchmark_samples
-- about: Every sample of some benchmark runs, or of some of their benchmarks (null: of all), unordered; run counts from 0 in the order of run_ids. Unordered, because sorting a million rows of eight columns takes longer than reading them.
-- params: run_ids, benchmarks
-- columns: run count; benchmark text; ordinal count; taken_at timestamptz; value unit; execute_ms ms; fetch_ms ms; client count
-- budget_ms: 300
SELECT wanted.place - 1 AS run, benchmark, ordinal, taken_at, value, execute_ms, fetch_ms, client
FROM benchmark_sample
JOIN (SELECT unnest($run_ids::UUID[]) AS run_id, generate_subscripts($run_ids::UUID[], 1) AS place) AS wanted
USING (run_id)
WHERE $benchmarks IS NULL OR list_contains($benchmarks::TEXT[], benchmark)
