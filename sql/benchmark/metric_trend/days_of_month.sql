-- name: days_of_month
-- about: The metric over time, from metric_hist_1day.
-- needs: metric_hist_1day
-- params: metric, month_before_day, this_day
-- columns: bucket timestamptz; value_count count; value_avg float; value_min float; value_max float
-- budget_ms: 2000
SELECT bucket, value_count, value_avg, value_min, value_max
FROM {schema}.metric_hist_1day
WHERE metric_def_id = CAST(:metric AS uuid) AND bucket >= :month_before_day AND bucket < :this_day
ORDER BY bucket
