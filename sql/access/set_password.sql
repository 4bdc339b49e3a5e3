-- name: set_password
-- about: Another password for a local account: a one-time one, or their own.
-- timescaledb: >=0.0
-- params: name, password_hash, must_change, one_time_ends, now
-- columns: none
-- budget_ms: 20
UPDATE account
SET password_hash = :password_hash, must_change = :must_change, one_time_ends = :one_time_ends, changed_at = :now
WHERE provider = 'local' AND name = :name
