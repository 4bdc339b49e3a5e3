-- name: forget_tries
-- about: The tries of a key are forgotten.
-- timescaledb: >=0.0
-- params: key
-- columns: none
-- budget_ms: 20
DELETE FROM failed_try WHERE key = :key
