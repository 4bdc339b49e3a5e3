-- name: set_disabled
-- about: Disable an account (an instant), or enable it again (null).
-- timescaledb: >=0.0
-- params: provider, name, disabled_at, now
-- columns: none
-- budget_ms: 20
UPDATE account SET disabled_at = :disabled_at, changed_at = :now WHERE provider = :provider AND name = :name
