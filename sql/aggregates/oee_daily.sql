-- name: oee_daily
-- about: OEE per line, equipment and day (UTC), combined from the hours; means are over the calculations of the day.
-- source: oee_hourly

SELECT line_id,
       equipment_code,
       time_bucket(INTERVAL '1 day', bucket)                                          AS bucket,
       sum(calculation_count)::bigint                                                 AS calculation_count,
       sum(oee_count)::bigint                                                         AS oee_count,
       sum(oee_sum)                                                                   AS oee_sum,
       sum(oee_sum) / nullif(sum(oee_count), 0)::double precision                     AS oee_avg,
       min(oee_min)                                                                   AS oee_min,
       max(oee_max)                                                                   AS oee_max,
       sum(availability_count)::bigint                                                AS availability_count,
       sum(availability_sum)                                                          AS availability_sum,
       sum(availability_sum) / nullif(sum(availability_count), 0)::double precision   AS availability_avg,
       min(availability_min)                                                          AS availability_min,
       max(availability_max)                                                          AS availability_max,
       sum(performance_count)::bigint                                                 AS performance_count,
       sum(performance_sum)                                                           AS performance_sum,
       sum(performance_sum) / nullif(sum(performance_count), 0)::double precision     AS performance_avg,
       min(performance_min)                                                           AS performance_min,
       max(performance_max)                                                           AS performance_max,
       sum(quality_count)::bigint                                                     AS quality_count,
       sum(quality_sum)                                                               AS quality_sum,
       sum(quality_sum) / nullif(sum(quality_count), 0)::double precision             AS quality_avg,
       min(quality_min)                                                               AS quality_min,
       max(quality_max)                                                               AS quality_max,
       sum(good_parts)::bigint                                                        AS good_parts,
       sum(total_parts)::bigint                                                       AS total_parts,
       sum(planned_seconds)::bigint                                                   AS planned_seconds,
       sum(actual_seconds)::bigint                                                    AS actual_seconds,
       sum(downtime_seconds)::bigint                                                  AS downtime_seconds
FROM factory_telemetry.oee_hourly
GROUP BY line_id, equipment_code, time_bucket(INTERVAL '1 day', bucket);
