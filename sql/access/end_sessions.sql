-- name: end_sessions
-- about: All sessions of one account end, but the one named.
-- timescaledb: >=0.0
-- params: name, but
-- columns: none
-- budget_ms: 20
DELETE FROM session WHERE name = :name AND token_hash <> :but
