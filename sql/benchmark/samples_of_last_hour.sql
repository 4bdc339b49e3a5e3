-- name: samples_of_last_hour
-- about: Samples, mean, lowest and highest value of every metric in the last hour.
-- group: recent
-- target_p95_ms: 100
-- stands_for: The table of recent metrics on the operators' screen.
-- many_clients: yes
-- params: anchor, hour_before
-- columns: metric_def_id uuid; samples count; value_avg float; value_min float; value_max float
-- budget_ms: 100
SELECT metric_def_id,
       count(*)                               AS samples,
       avg(coalesce(value_real, value_int))   AS value_avg,
       min(coalesce(value_real, value_int))   AS value_min,
       max(coalesce(value_real, value_int))   AS value_max
FROM {schema}.metric_hist
WHERE ts > :hour_before AND ts <= :anchor
GROUP BY metric_def_id
ORDER BY metric_def_id
