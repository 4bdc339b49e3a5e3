-- name: metric_hist_1hour_percentiles
-- about: Percentiles per metric and hour, from the raw samples: the p95 of a day is not the p95 of its hours, so other spans ask metric_hist itself.
-- source: metric_hist

SELECT metric_def_id,
       time_bucket(INTERVAL '1 hour', ts)                                                   AS bucket,
       count(*)                                                                             AS value_count,
       percentile_cont(0.50) WITHIN GROUP (ORDER BY coalesce(value_real, value_int))        AS value_p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY coalesce(value_real, value_int))        AS value_p95,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY coalesce(value_real, value_int))        AS value_p99
FROM factory_telemetry.metric_hist
WHERE value_real IS NOT NULL OR value_int IS NOT NULL
GROUP BY metric_def_id, time_bucket(INTERVAL '1 hour', ts);
