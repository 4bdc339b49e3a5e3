-- name: touch_session
-- about: Somebody is still there.
-- timescaledb: >=0.0
-- params: token_hash, now
-- columns: none
-- budget_ms: 20
UPDATE session SET seen_at = :now WHERE token_hash = :token_hash
