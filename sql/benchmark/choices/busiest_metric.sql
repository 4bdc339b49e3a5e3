-- name: busiest_metric
-- about: The metric that the questions about one metric ask for: of the numbers, the one with most samples in the last hour.
-- params: anchor, hour_before
-- columns: metric text; name text; samples count
-- budget_ms: 2000
SELECT d.id::text AS metric, d.equipment_code || ' ' || d.metric_key AS name, count(h.ts) AS samples
FROM {schema}.metric_def d
LEFT JOIN {schema}.metric_hist h ON h.metric_def_id = d.id AND h.ts > :hour_before AND h.ts <= :anchor
WHERE d.value_type = 'REAL'
GROUP BY d.id, d.equipment_code, d.metric_key
ORDER BY samples DESC, d.equipment_code, d.metric_key
LIMIT 1
