-- name: drop_old_sessions
-- about: Sessions that began before an instant, or were last used before another.
-- timescaledb: >=0.0
-- params: began, used
-- columns: none
-- budget_ms: 20
DELETE FROM session WHERE created_at < :began OR seen_at < :used
