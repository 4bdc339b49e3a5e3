-- name: losses_of_day
-- about: The newest 50 calculations with an OEE under 0.80.
-- params: anchor, day_before
-- columns: calculation_time timestamptz; equipment_code text; oee share
-- budget_ms: 2000
SELECT calculation_time, equipment_code, oee
FROM {schema}.oee_calculations
WHERE oee < 0.80 AND calculation_time > :day_before AND calculation_time <= :anchor
ORDER BY calculation_time DESC
LIMIT 50
