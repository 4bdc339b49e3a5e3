-- name: metric_minutes_of_day
-- about: One metric minute by minute over the last day, from the raw samples.
-- group: short-term
-- target_p95_ms: 500
-- stands_for: The day chart of one metric, before there are aggregates.
-- twin: metric_minutes_of_day_aggregate
-- params: metric, day_before_minute, this_minute
-- columns: bucket timestamptz; value_count count; value_avg float; value_min float; value_max float
-- budget_ms: 500
SELECT time_bucket(INTERVAL '1 minute', ts)      AS bucket,
       count(coalesce(value_real, value_int))  AS value_count,
       avg(coalesce(value_real, value_int))    AS value_avg,
       min(coalesce(value_real, value_int))    AS value_min,
       max(coalesce(value_real, value_int))    AS value_max
FROM {schema}.metric_hist
WHERE metric_def_id = CAST(:metric AS uuid) AND ts >= :day_before_minute AND ts < :this_minute
GROUP BY 1
ORDER BY 1
