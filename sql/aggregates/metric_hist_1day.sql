-- name: metric_hist_1day
-- about: Samples per metric and day (UTC), combined from the hours: mean and standard deviation are derived from count, sum and sum of squares.
-- source: metric_hist_1hour

SELECT metric_def_id,
       time_bucket(INTERVAL '1 day', bucket)                              AS bucket,
       sum(sample_count)::bigint                                          AS sample_count,
       sum(value_count)::bigint                                           AS value_count,
       sum(value_sum)                                                     AS value_sum,
       sum(value_sum_squares)                                             AS value_sum_squares,
       sum(value_sum) / nullif(sum(value_count), 0)::double precision     AS value_avg,
       min(value_min)                                                     AS value_min,
       max(value_max)                                                     AS value_max,
       sqrt(greatest(sum(value_sum_squares) - sum(value_sum) * sum(value_sum) / nullif(sum(value_count), 0)::double precision, 0)
            / nullif(greatest(sum(value_count) - 1, 0), 0)::double precision) AS value_stddev,
       last(last_real, bucket)                                            AS last_real,
       last(last_int, bucket)                                             AS last_int,
       sum(true_count)::bigint                                            AS true_count,
       sum(false_count)::bigint                                           AS false_count,
       max(last_sample_at)                                                AS last_sample_at
FROM factory_telemetry.metric_hist_1hour
GROUP BY metric_def_id, time_bucket(INTERVAL '1 day', bucket);
