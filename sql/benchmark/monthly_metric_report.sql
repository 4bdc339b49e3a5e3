-- name: monthly_metric_report
-- about: Samples, mean, lowest and highest value of every metric and day over four weeks, from metric_hist_1day.
-- group: report
-- target_p95_ms: 10000
-- stands_for: The telemetry part of the monthly report.
-- needs: metric_hist_1day
-- params: month_before_day, this_day
-- columns: metric_def_id uuid; bucket timestamptz; sample_count count; value_avg float; value_min float; value_max float
-- budget_ms: 10000
SELECT metric_def_id, bucket, sample_count, value_avg, value_min, value_max
FROM {schema}.metric_hist_1day
WHERE bucket >= :month_before_day AND bucket < :this_day
ORDER BY metric_def_id, bucket
