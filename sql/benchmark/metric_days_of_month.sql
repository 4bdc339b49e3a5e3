-- name: metric_days_of_month
-- about: One metric day by day over the last four weeks, from the raw samples.
-- group: long-term
-- target_p95_ms: 5000
-- stands_for: The month chart of one metric, before there are aggregates.
-- twin: metric_days_of_month_aggregate
-- params: metric, month_before_day, this_day
-- columns: bucket timestamptz; value_count count; value_avg float; value_min float; value_max float
-- budget_ms: 5000
SELECT time_bucket(INTERVAL '1 day', ts)      AS bucket,
       count(coalesce(value_real, value_int))  AS value_count,
       avg(coalesce(value_real, value_int))    AS value_avg,
       min(coalesce(value_real, value_int))    AS value_min,
       max(coalesce(value_real, value_int))    AS value_max
FROM {schema}.metric_hist
WHERE metric_def_id = CAST(:metric AS uuid) AND ts >= :month_before_day AND ts < :this_day
GROUP BY 1
ORDER BY 1
