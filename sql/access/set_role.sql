-- name: set_role
-- about: Another role for a local account.
-- timescaledb: >=0.0
-- params: name, role, now
-- columns: none
-- budget_ms: 20
UPDATE account SET role = :role, changed_at = :now WHERE provider = 'local' AND name = :name
