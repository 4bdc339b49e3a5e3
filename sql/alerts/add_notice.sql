-- name: add_notice
-- about: Something to send to one channel, due at once.
-- params: environment, key, channel, kind, severity, title, body, now
-- columns: id count
-- budget_ms: 20
INSERT INTO notice (environment, key, channel, kind, severity, title, body, created_at, next_try_at)
VALUES (:environment, :key, :channel, :kind, :severity, :title, :body, :now, :now)
RETURNING id
