-- name: events
-- about: What happened to the alerts of an environment, newest first.
-- params: environment, limit
-- columns: environment text; key text; kind text; at text; severity text; subject text; sentence text; value real; threshold real; unit text; actor text; reason text
-- budget_ms: 20
SELECT environment, key, kind, at, severity, subject, sentence, value, threshold, unit, actor, reason
FROM alert_event
WHERE environment = :environment
ORDER BY id DESC
LIMIT :limit
