-- name: note_token
-- about: What the newest token says of somebody; an older token changes nothing and gives no row.
-- timescaledb: >=0.0
-- params: name, subject, groups, issued_at, expires_at, now
-- columns: name text
-- budget_ms: 20
INSERT INTO account (provider, name, subject, groups, issued_at, expires_at, created_at, changed_at, last_sign_in)
VALUES ('oidc', :name, :subject, :groups, :issued_at, :expires_at, :now, :now, :now)
ON CONFLICT (provider, name) DO UPDATE
SET groups = excluded.groups, issued_at = excluded.issued_at, expires_at = excluded.expires_at,
    last_sign_in = excluded.last_sign_in
WHERE account.subject = excluded.subject AND excluded.issued_at > account.issued_at
RETURNING name
