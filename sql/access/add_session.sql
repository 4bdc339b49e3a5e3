-- name: add_session
-- about: A sign-in with that password, unless it was changed, or the account disabled, while it was looked at.
-- timescaledb: >=0.0
-- params: token_hash, name, password_hash, now, address
-- columns: name text
-- budget_ms: 20
INSERT INTO session (token_hash, name, created_at, seen_at, address)
SELECT :token_hash, name, :now, :now, :address
FROM account
WHERE provider = 'local' AND name = :name AND password_hash = :password_hash AND disabled_at IS NULL
RETURNING name
