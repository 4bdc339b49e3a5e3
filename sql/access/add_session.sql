-- name: add_session
-- about: A sign-in.
-- timescaledb: >=0.0
-- params: token_hash, name, now, address
-- columns: none
-- budget_ms: 20
INSERT INTO session (token_hash, name, created_at, seen_at, address) VALUES (:token_hash, :name, :now, :now, :address)
