-- name: benchmark_samples
-- about: Every sample of some benchmark runs, or of some of their benchmarks (null: of all), by run, benchmark and order.
-- params: run_ids, benchmarks
-- columns: run_id text; benchmark text; ordinal count; taken_at timestamptz; value unit; execute_ms ms; fetch_ms ms; client count
-- budget_ms: 300
SELECT run_id::TEXT AS run_id, benchmark, ordinal, taken_at, value, execute_ms, fetch_ms, client
FROM benchmark_sample
WHERE run_id IN (SELECT unnest($run_ids::UUID[]))
  AND ($benchmarks IS NULL OR list_contains($benchmarks::TEXT[], benchmark))
ORDER BY benchmark_sample.run_id, benchmark, ordinal
