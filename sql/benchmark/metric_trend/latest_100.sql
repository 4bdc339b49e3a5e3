-- name: latest_100
-- about: The newest 100 samples.
-- params: anchor, metric
-- columns: ts timestamptz; value_real float
-- budget_ms: 2000
SELECT ts, value_real
FROM {schema}.metric_hist
WHERE metric_def_id = CAST(:metric AS uuid) AND ts <= :anchor
ORDER BY ts DESC
LIMIT 100
