-- name: failed_try
-- about: The failed tries of a key.
-- timescaledb: >=0.0
-- params: key
-- columns: tries count; last_at text; closed_until text
-- budget_ms: 20
SELECT tries, last_at, closed_until FROM failed_try WHERE key = :key
