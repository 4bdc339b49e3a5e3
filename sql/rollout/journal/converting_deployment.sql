-- name: converting_deployment
-- about: The deployment whose conversion of that table was the last to begin before an instant; no row where none did.
-- timescaledb: >=0.0
-- params: table, until
-- columns: id uuid; number bigint
-- budget_ms: 50
SELECT d.id, d.number
FROM ms5ops.operation o
JOIN ms5ops.deployment d ON d.id = o.deployment
CROSS JOIN LATERAL jsonb_array_elements(d.plan -> 'operations') p
WHERE o.key LIKE '01.%.convert' AND p ->> 'key' = o.key AND p ->> 'target' = :table AND o.started_at <= :until
ORDER BY o.started_at DESC
LIMIT 1
