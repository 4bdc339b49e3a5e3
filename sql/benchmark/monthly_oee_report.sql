-- name: monthly_oee_report
-- about: OEE, parts and downtime of every line and day over four weeks, from oee_daily.
-- group: report
-- target_p95_ms: 10000
-- stands_for: The OEE part of the monthly report.
-- needs: oee_daily
-- params: month_before_day, this_day
-- columns: line_id uuid; equipment_code text; bucket timestamptz; oee_avg share; availability_avg share; performance_avg share; quality_avg share; good_parts count; total_parts count; downtime_seconds s
-- budget_ms: 10000
SELECT line_id, equipment_code, bucket, oee_avg, availability_avg, performance_avg, quality_avg,
       good_parts, total_parts, downtime_seconds
FROM {schema}.oee_daily
WHERE bucket >= :month_before_day AND bucket < :this_day
ORDER BY line_id, equipment_code, bucket
