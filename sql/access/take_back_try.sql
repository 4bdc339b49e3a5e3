-- name: take_back_try
-- about: A try that was counted turned out right.
-- timescaledb: >=0.0
-- params: key
-- columns: none
-- budget_ms: 20
UPDATE failed_try SET tries = max(tries - 1, 0) WHERE key = :key
