-- name: latest_100_of_metric
-- about: The newest 100 samples of one metric within the last day. Without a bound, every chunk would be planned for.
-- group: recent
-- target_p95_ms: 100
-- stands_for: The sparkline of one metric: an index on (metric, time) answers it without touching older data.
-- many_clients: yes
-- params: anchor, day_before, metric
-- columns: ts timestamptz; value_real float
-- budget_ms: 100
SELECT ts, value_real
FROM {schema}.metric_hist
WHERE metric_def_id = CAST(:metric AS uuid) AND ts > :day_before AND ts <= :anchor
ORDER BY ts DESC
LIMIT 100
