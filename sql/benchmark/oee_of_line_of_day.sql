-- name: oee_of_line_of_day
-- about: Every OEE calculation of one line in the last day.
-- group: short-term
-- target_p95_ms: 500
-- stands_for: The day chart of one line.
-- params: anchor, day_before, line
-- columns: calculation_time timestamptz; equipment_code text; oee share; availability share; performance share; quality share
-- budget_ms: 500
SELECT calculation_time, equipment_code, oee, availability, performance, quality
FROM {schema}.oee_calculations
WHERE line_id = CAST(:line AS uuid) AND calculation_time > :day_before AND calculation_time <= :anchor
ORDER BY equipment_code, calculation_time DESC
