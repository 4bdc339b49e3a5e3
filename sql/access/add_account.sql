-- name: add_account
-- about: A new local account with a one-time password; no row where the name is taken.
-- timescaledb: >=0.0
-- params: name, role, password_hash, one_time_ends, now
-- columns: name text
-- budget_ms: 20
INSERT INTO account (provider, name, role, password_hash, must_change, one_time_ends, created_at, changed_at)
VALUES ('local', :name, :role, :password_hash, 1, :one_time_ends, :now, :now)
ON CONFLICT DO NOTHING
RETURNING name
