-- name: accounts_of_subject
-- about: The names of one person of an identity provider, the last one that they signed in with first.
-- timescaledb: >=0.0
-- params: subject
-- columns: name text; disabled_at text
-- budget_ms: 20
SELECT name, disabled_at
FROM account
WHERE provider = 'oidc' AND subject = :subject
ORDER BY issued_at DESC, name
