-- name: oee_hourly
-- about: OEE per line, equipment and hour. A measure can be NULL (no parts, so no quality), hence a count for each; sums in double precision, as real they would lose digits.
-- source: oee_calculations

SELECT line_id,
       equipment_code,
       time_bucket(INTERVAL '1 hour', calculation_time)                   AS bucket,
       count(*)                                                           AS calculation_count,
       count(oee)                                                         AS oee_count,
       sum(oee::double precision)                                         AS oee_sum,
       avg(oee::double precision)                                         AS oee_avg,
       min(oee)                                                           AS oee_min,
       max(oee)                                                           AS oee_max,
       count(availability)                                                AS availability_count,
       sum(availability::double precision)                                AS availability_sum,
       avg(availability::double precision)                                AS availability_avg,
       min(availability)                                                  AS availability_min,
       max(availability)                                                  AS availability_max,
       count(performance)                                                 AS performance_count,
       sum(performance::double precision)                                 AS performance_sum,
       avg(performance::double precision)                                 AS performance_avg,
       min(performance)                                                   AS performance_min,
       max(performance)                                                   AS performance_max,
       count(quality)                                                     AS quality_count,
       sum(quality::double precision)                                     AS quality_sum,
       avg(quality::double precision)                                     AS quality_avg,
       min(quality)                                                       AS quality_min,
       max(quality)                                                       AS quality_max,
       sum(good_parts)                                                    AS good_parts,
       sum(total_parts)                                                   AS total_parts,
       sum(planned_production_time)                                       AS planned_seconds,
       sum(actual_production_time)                                        AS actual_seconds,
       sum(planned_production_time - actual_production_time)              AS downtime_seconds
FROM factory_telemetry.oee_calculations
GROUP BY line_id, equipment_code, time_bucket(INTERVAL '1 hour', calculation_time);
