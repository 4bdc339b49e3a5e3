-- name: hours_of_week
-- about: The metric over time, from metric_hist_1hour.
-- needs: metric_hist_1hour
-- params: metric, week_before_hour, this_hour
-- columns: bucket timestamptz; value_count count; value_avg float; value_min float; value_max float
-- budget_ms: 2000
SELECT bucket, value_count, value_avg, value_min, value_max
FROM {schema}.metric_hist_1hour
WHERE metric_def_id = CAST(:metric AS uuid) AND bucket >= :week_before_hour AND bucket < :this_hour
ORDER BY bucket
