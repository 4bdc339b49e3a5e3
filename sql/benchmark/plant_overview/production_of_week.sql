-- name: production_of_week
-- about: Production figures per line and day of the last week.
-- params: anchor, week_before
-- columns: line_id uuid; kpi_date date; total_production count; good_parts count; oee share
-- budget_ms: 2000
SELECT line_id, kpi_date, sum(total_production) AS total_production, sum(good_parts) AS good_parts, avg(oee) AS oee
FROM {schema}.production_kpis
WHERE created_at > :week_before AND created_at <= :anchor AND shift_id IS NOT NULL
GROUP BY line_id, kpi_date
ORDER BY line_id, kpi_date
