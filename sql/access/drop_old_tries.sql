-- name: drop_old_tries
-- about: Failed tries that are so old that they no longer count.
-- timescaledb: >=0.0
-- params: before
-- columns: none
-- budget_ms: 20
DELETE FROM failed_try WHERE last_at < :before
