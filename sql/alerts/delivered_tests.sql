-- name: delivered_tests
-- about: When test alerts were delivered, oldest first.
-- columns: delivered_at text
-- budget_ms: 20
SELECT DISTINCT delivered_at
FROM notice
WHERE kind = 'test' AND delivered_at IS NOT NULL
ORDER BY delivered_at
