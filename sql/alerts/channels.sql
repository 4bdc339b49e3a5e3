-- name: channels
-- about: How the last notice to each channel that was tried went, and when the last one was delivered.
-- columns: channel text; tried_at text; attempts count; next_try_at text; delivered_at text; failure text; last_delivered_at text; waiting count
-- budget_ms: 20
SELECT n.channel, n.created_at AS tried_at, n.attempts, n.next_try_at, n.delivered_at, n.failure,
       (SELECT max(delivered_at) FROM notice AS d WHERE d.channel = n.channel) AS last_delivered_at,
       (SELECT count(*) FROM notice AS w WHERE w.channel = n.channel AND w.next_try_at IS NOT NULL) AS waiting
FROM notice AS n
WHERE n.id IN (SELECT max(id) FROM notice WHERE attempts > 0 GROUP BY channel)
ORDER BY n.channel
