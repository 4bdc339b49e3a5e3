-- name: oee_hours_of_week
-- about: OEE of every line and equipment, hour by hour over the last week, from the raw calculations.
-- group: historical
-- target_p95_ms: 2000
-- stands_for: The weekly OEE review, before there are aggregates.
-- twin: oee_hours_of_week_aggregate
-- params: week_before_hour, this_hour
-- columns: line_id uuid; equipment_code text; bucket timestamptz; oee_avg share; availability_avg share; performance_avg share; quality_avg share; good_parts count; total_parts count; downtime_seconds s
-- budget_ms: 2000
SELECT line_id,
       equipment_code,
       time_bucket(INTERVAL '1 hour', calculation_time)           AS bucket,
       avg(oee::double precision)                                AS oee_avg,
       avg(availability::double precision)                       AS availability_avg,
       avg(performance::double precision)                        AS performance_avg,
       avg(quality::double precision)                            AS quality_avg,
       sum(good_parts)                                           AS good_parts,
       sum(total_parts)                                          AS total_parts,
       sum(planned_production_time - actual_production_time)     AS downtime_seconds
FROM {schema}.oee_calculations
WHERE calculation_time >= :week_before_hour AND calculation_time < :this_hour
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
