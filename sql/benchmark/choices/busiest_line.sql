-- name: busiest_line
-- about: The line that the questions about one line ask for: the one with most OEE calculations in the last day.
-- params: anchor, day_before
-- columns: line text; name text; calculations count
-- budget_ms: 500
SELECT l.id::text AS line, l.line_code AS name, count(o.calculation_time) AS calculations
FROM {schema}.production_lines l
LEFT JOIN {schema}.oee_calculations o
       ON o.line_id = l.id AND o.calculation_time > :day_before AND o.calculation_time <= :anchor
GROUP BY l.id, l.line_code
ORDER BY calculations DESC, l.line_code
LIMIT 1
