-- name: note_sign_in
-- about: When somebody last signed in.
-- timescaledb: >=0.0
-- params: provider, name, now
-- columns: none
-- budget_ms: 20
UPDATE account SET last_sign_in = :now WHERE provider = :provider AND name = :name
