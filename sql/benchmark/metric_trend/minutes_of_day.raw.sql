-- name: minutes_of_day
-- about: The metric over time, from the raw samples.
-- params: metric, day_before_minute, this_minute
-- columns: bucket timestamptz; value_count count; value_avg float; value_min float; value_max float
-- budget_ms: 2000
SELECT time_bucket(INTERVAL '1 minute', ts)      AS bucket,
       count(coalesce(value_real, value_int))  AS value_count,
       avg(coalesce(value_real, value_int))    AS value_avg,
       min(coalesce(value_real, value_int))    AS value_min,
       max(coalesce(value_real, value_int))    AS value_max
FROM {schema}.metric_hist
WHERE metric_def_id = CAST(:metric AS uuid) AND ts >= :day_before_minute AND ts < :this_minute
GROUP BY 1
ORDER BY 1
