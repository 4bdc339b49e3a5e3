-- name: add_notice
-- about: Something to send to one channel.
-- params: environment, key, channel, kind, severity, title, body, now, next_try_at
-- columns: id count
-- budget_ms: 20
INSERT INTO notice (environment, key, channel, kind, severity, title, body, created_at, next_try_at)
VALUES (:environment, :key, :channel, :kind, :severity, :title, :body, :now, :next_try_at)
RETURNING id
