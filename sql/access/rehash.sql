-- name: rehash
-- about: The same password, hashed with today's parameters, unless it was changed meanwhile.
-- timescaledb: >=0.0
-- params: name, former, password_hash
-- columns: none
-- budget_ms: 20
UPDATE account SET password_hash = :password_hash
WHERE provider = 'local' AND name = :name AND password_hash = :former
