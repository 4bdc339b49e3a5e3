-- name: metric_hist_1min
-- about: Samples per metric and minute. A value is the sample as a number (REAL or INT metrics); TEXT and JSON metrics count as samples only.
-- source: metric_hist

SELECT metric_def_id,
       time_bucket(INTERVAL '1 minute', ts)                               AS bucket,
       count(*)                                                           AS sample_count,
       count(coalesce(value_real, value_int))                             AS value_count,
       sum(coalesce(value_real, value_int))                               AS value_sum,
       sum(coalesce(value_real, value_int) * coalesce(value_real, value_int)) AS value_sum_squares,
       avg(coalesce(value_real, value_int))                               AS value_avg,
       min(coalesce(value_real, value_int))                               AS value_min,
       max(coalesce(value_real, value_int))                               AS value_max,
       stddev_samp(coalesce(value_real, value_int))                       AS value_stddev,
       last(value_real, ts)                                               AS last_real,
       last(value_int, ts)                                                AS last_int,
       count(*) FILTER (WHERE value_bool)                                 AS true_count,
       count(*) FILTER (WHERE NOT value_bool)                             AS false_count,
       max(ts)                                                            AS last_sample_at
FROM factory_telemetry.metric_hist
GROUP BY metric_def_id, time_bucket(INTERVAL '1 minute', ts);
