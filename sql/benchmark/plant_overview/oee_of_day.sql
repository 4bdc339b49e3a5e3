-- name: oee_of_day
-- about: OEE by hour over the last day, from oee_hourly.
-- needs: oee_hourly
-- params: day_before_hour, this_hour
-- columns: line_id uuid; equipment_code text; bucket timestamptz; oee_avg share; availability_avg share; performance_avg share; quality_avg share; good_parts count; total_parts count; downtime_seconds s
-- budget_ms: 2000
SELECT line_id, equipment_code, bucket, oee_avg, availability_avg, performance_avg, quality_avg,
       good_parts, total_parts, downtime_seconds
FROM {schema}.oee_hourly
WHERE bucket >= :day_before_hour AND bucket < :this_hour
ORDER BY line_id, equipment_code, bucket
