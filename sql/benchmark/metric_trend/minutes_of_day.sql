-- name: minutes_of_day
-- about: The metric over time, from metric_hist_1min.
-- needs: metric_hist_1min
-- params: metric, day_before_minute, this_minute
-- columns: bucket timestamptz; value_count count; value_avg float; value_min float; value_max float
-- budget_ms: 2000
SELECT bucket, value_count, value_avg, value_min, value_max
FROM {schema}.metric_hist_1min
WHERE metric_def_id = CAST(:metric AS uuid) AND bucket >= :day_before_minute AND bucket < :this_minute
ORDER BY bucket
