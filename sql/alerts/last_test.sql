-- name: last_test
-- about: When a test alert was last delivered.
-- columns: delivered_at text
-- budget_ms: 20
SELECT max(delivered_at) AS delivered_at FROM notice WHERE kind = 'test'
