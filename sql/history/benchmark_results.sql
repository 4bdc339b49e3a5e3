-- name: benchmark_results
-- about: The results of some benchmark runs, in the order of each run.
-- params: run_ids
-- columns: run_id text; benchmark text; kind text; group_name text; about text; outcome text; message text; unit text; higher_is_better boolean; samples count; row_count count; text_hash text; target_p95 unit; twin text; mean unit; median unit; minimum unit; maximum unit; p95 unit; p99 unit; details json
-- budget_ms: 50
SELECT run_id::TEXT AS run_id, benchmark, kind, group_name, about, outcome, message, unit, higher_is_better, samples,
       row_count, text_hash, target_p95, twin, mean, median, minimum, maximum, p95, p99, details::TEXT AS details
FROM benchmark_result
WHERE run_id IN (SELECT unnest($run_ids::UUID[]))
ORDER BY run_id, place
