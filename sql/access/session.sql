-- name: session
-- about: The session of a token.
-- timescaledb: >=0.0
-- params: token_hash
-- columns: name text; created_at text; seen_at text; address text
-- budget_ms: 20
SELECT name, created_at, seen_at, address FROM session WHERE token_hash = :token_hash
