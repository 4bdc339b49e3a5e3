-- name: metric_hours_of_week_aggregate
-- about: One metric hour by hour over the last week, from metric_hist_1hour.
-- group: aggregate
-- target_p95_ms: 50
-- stands_for: The week chart of one metric, from the aggregate.
-- many_clients: yes
-- twin: metric_hours_of_week
-- needs: metric_hist_1hour
-- params: metric, week_before_hour, this_hour
-- columns: bucket timestamptz; value_count count; value_avg float; value_min float; value_max float
-- budget_ms: 50
SELECT bucket, value_count, value_avg, value_min, value_max
FROM {schema}.metric_hist_1hour
WHERE metric_def_id = CAST(:metric AS uuid) AND bucket >= :week_before_hour AND bucket < :this_hour
ORDER BY bucket
