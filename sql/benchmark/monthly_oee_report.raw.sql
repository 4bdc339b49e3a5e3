-- name: monthly_oee_report
-- about: OEE, parts and downtime of every line and day over four weeks, from the raw calculations.
-- group: report
-- target_p95_ms: 10000
-- stands_for: The OEE part of the monthly report.
-- params: month_before_day, this_day
-- columns: line_id uuid; equipment_code text; bucket timestamptz; oee_avg share; availability_avg share; performance_avg share; quality_avg share; good_parts count; total_parts count; downtime_seconds s
-- budget_ms: 10000
SELECT line_id,
       equipment_code,
       time_bucket(INTERVAL '1 day', calculation_time)           AS bucket,
       avg(oee::double precision)                                AS oee_avg,
       avg(availability::double precision)                       AS availability_avg,
       avg(performance::double precision)                        AS performance_avg,
       avg(quality::double precision)                            AS quality_avg,
       sum(good_parts)                                           AS good_parts,
       sum(total_parts)                                          AS total_parts,
       sum(planned_production_time - actual_production_time)     AS downtime_seconds
FROM {schema}.oee_calculations
WHERE calculation_time >= :month_before_day AND calculation_time < :this_day
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
