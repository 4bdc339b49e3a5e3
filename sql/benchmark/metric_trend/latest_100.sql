-- name: latest_100
-- about: The newest 100 samples within the last day.
-- params: anchor, day_before, metric
-- columns: ts timestamptz; value_real float
-- budget_ms: 2000
SELECT ts, value_real
FROM {schema}.metric_hist
WHERE metric_def_id = CAST(:metric AS uuid) AND ts > :day_before AND ts <= :anchor
ORDER BY ts DESC
LIMIT 100
