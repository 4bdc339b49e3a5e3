-- name: accounts
-- about: Every account, by provider and name.
-- timescaledb: >=0.0
-- params: 
-- columns: provider text; name text; role text; password_hash text; must_change boolean; one_time_ends text; disabled_at text; subject text; groups text; issued_at real; expires_at real; created_at text; changed_at text; last_sign_in text
-- budget_ms: 20
SELECT provider, name, role, password_hash, must_change, one_time_ends, disabled_at, subject, groups, issued_at, expires_at,
       created_at, changed_at, last_sign_in
FROM account
ORDER BY provider, name
