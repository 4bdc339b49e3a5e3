-- name: monthly_metric_report
-- about: Samples, mean, lowest and highest value of every metric and day over four weeks, from the raw samples.
-- group: report
-- target_p95_ms: 10000
-- stands_for: The telemetry part of the monthly report.
-- params: month_before_day, this_day
-- columns: metric_def_id uuid; bucket timestamptz; sample_count count; value_avg float; value_min float; value_max float
-- budget_ms: 10000
SELECT metric_def_id,
       time_bucket(INTERVAL '1 day', ts)      AS bucket,
       count(*)                               AS sample_count,
       avg(coalesce(value_real, value_int))   AS value_avg,
       min(coalesce(value_real, value_int))   AS value_min,
       max(coalesce(value_real, value_int))   AS value_max
FROM {schema}.metric_hist
WHERE ts >= :month_before_day AND ts < :this_day
GROUP BY 1, 2
ORDER BY 1, 2
