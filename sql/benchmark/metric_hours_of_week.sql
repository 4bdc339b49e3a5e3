-- name: metric_hours_of_week
-- about: One metric hour by hour over the last week, from the raw samples.
-- group: historical
-- target_p95_ms: 2000
-- stands_for: The week chart of one metric, before there are aggregates.
-- twin: metric_hours_of_week_aggregate
-- params: metric, week_before_hour, this_hour
-- columns: bucket timestamptz; value_count count; value_avg float; value_min float; value_max float
-- budget_ms: 2000
SELECT time_bucket(INTERVAL '1 hour', ts)      AS bucket,
       count(coalesce(value_real, value_int))  AS value_count,
       avg(coalesce(value_real, value_int))    AS value_avg,
       min(coalesce(value_real, value_int))    AS value_min,
       max(coalesce(value_real, value_int))    AS value_max
FROM {schema}.metric_hist
WHERE metric_def_id = CAST(:metric AS uuid) AND ts >= :week_before_hour AND ts < :this_hour
GROUP BY 1
ORDER BY 1
