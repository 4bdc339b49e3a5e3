-- name: end_token
-- about: A sign-out of somebody whom an identity provider vouched for; one row where that had not ended yet.
-- timescaledb: >=0.0
-- params: subject, now
-- columns: name text
-- budget_ms: 20
UPDATE account SET expires_at = :now
WHERE provider = 'oidc' AND subject = :subject AND expires_at > :now
RETURNING name
