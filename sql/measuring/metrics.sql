-- name: metrics
-- about: The metrics whose samples a writer makes up, at most as many as a second brings.
-- columns: id text
-- budget_ms: 50
SELECT id::text AS id FROM {schema}.metric_def ORDER BY id LIMIT 1000
