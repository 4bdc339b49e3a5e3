-- name: end_mutes
-- about: End the mutes of an alert (null: of the whole environment) that stand; which did.
-- params: environment, key, now, by
-- columns: id count
-- budget_ms: 20
UPDATE mute SET ended_at = :now, ended_by = :by
WHERE environment = :environment AND key IS :key AND ended_at IS NULL AND (until IS NULL OR until > :now)
RETURNING id
