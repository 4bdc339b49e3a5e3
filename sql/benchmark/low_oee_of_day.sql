-- name: low_oee_of_day
-- about: The newest 50 calculations of the last day with an OEE under 0.80.
-- group: short-term
-- target_p95_ms: 500
-- stands_for: The list of losses that a shift leader goes through.
-- params: anchor, day_before
-- columns: calculation_time timestamptz; equipment_code text; oee share
-- budget_ms: 500
SELECT calculation_time, equipment_code, oee
FROM {schema}.oee_calculations
WHERE oee < 0.80 AND calculation_time > :day_before AND calculation_time <= :anchor
ORDER BY calculation_time DESC
LIMIT 50
