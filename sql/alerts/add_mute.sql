-- name: add_mute
-- about: Mute an alert, or a whole environment.
-- params: environment, key, muted_by, muted_at, until, reason
-- columns: none
-- budget_ms: 20
INSERT INTO mute (environment, key, muted_by, muted_at, until, reason)
VALUES (:environment, :key, :muted_by, :muted_at, :until, :reason)
