-- name: mutes
-- about: The mutes of an environment (null: of all) that stand, newest first.
-- params: environment, now
-- columns: environment text; key text; muted_by text; muted_at text; until text; reason text
-- budget_ms: 20
SELECT environment, key, muted_by, muted_at, until, reason
FROM mute
WHERE (:environment IS NULL OR environment = :environment) AND ended_at IS NULL AND (until IS NULL OR until > :now)
ORDER BY id DESC
