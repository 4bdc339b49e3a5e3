-- name: other_admins
-- about: How many local admins there are who are not disabled, without the one named.
-- timescaledb: >=0.0
-- params: name
-- columns: admins count
-- budget_ms: 20
SELECT count(*) AS admins
FROM account
WHERE provider = 'local' AND role = 'admin' AND disabled_at IS NULL AND name <> :name
