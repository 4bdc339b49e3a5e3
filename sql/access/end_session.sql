-- name: end_session
-- about: A sign-out; one row where there was such a session.
-- timescaledb: >=0.0
-- params: token_hash
-- columns: name text
-- budget_ms: 20
DELETE FROM session WHERE token_hash = :token_hash RETURNING name
