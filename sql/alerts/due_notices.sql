-- name: due_notices
-- about: What is to be sent now, oldest first.
-- params: now
-- columns: id count; environment text; key text; channel text; kind text; severity text; title text; body text; created_at text; attempts count; next_try_at text; delivered_at text; failure text
-- budget_ms: 20
SELECT id, environment, key, channel, kind, severity, title, body, created_at, attempts, next_try_at, delivered_at,
       failure
FROM notice
WHERE next_try_at <= :now
ORDER BY id
