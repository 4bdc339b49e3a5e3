-- name: latest_per_metric
-- about: The newest value of every metric within the last hour.
-- group: recent
-- target_p95_ms: 100
-- stands_for: The live overview, which asks for it every few seconds.
-- many_clients: yes
-- params: anchor, hour_before
-- columns: equipment_code text; metric_key text; ts timestamptz; value_real float; value_int int; value_bool boolean
-- budget_ms: 100
SELECT d.equipment_code, d.metric_key, newest.ts, newest.value_real, newest.value_int, newest.value_bool
FROM {schema}.metric_def d
CROSS JOIN LATERAL (
    SELECT h.ts, h.value_real, h.value_int, h.value_bool
    FROM {schema}.metric_hist h
    WHERE h.metric_def_id = d.id AND h.ts > :hour_before AND h.ts <= :anchor
    ORDER BY h.ts DESC
    LIMIT 1
) newest
ORDER BY d.equipment_code, d.metric_key
