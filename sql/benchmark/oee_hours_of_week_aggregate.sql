-- name: oee_hours_of_week_aggregate
-- about: OEE of every line and equipment, hour by hour over the last week, from oee_hourly.
-- group: aggregate
-- target_p95_ms: 50
-- stands_for: The weekly OEE review, from the aggregate.
-- twin: oee_hours_of_week
-- needs: oee_hourly
-- params: week_before_hour, this_hour
-- columns: line_id uuid; equipment_code text; bucket timestamptz; oee_avg share; availability_avg share; performance_avg share; quality_avg share; good_parts count; total_parts count; downtime_seconds s
-- budget_ms: 50
SELECT line_id, equipment_code, bucket, oee_avg, availability_avg, performance_avg, quality_avg,
       good_parts, total_parts, downtime_seconds
FROM {schema}.oee_hourly
WHERE bucket >= :week_before_hour AND bucket < :this_hour
ORDER BY line_id, equipment_code, bucket
