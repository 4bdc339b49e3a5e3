-- name: add_event
-- about: Keep what happened to an alert.
-- params: environment, key, kind, at, severity, subject, sentence, value, threshold, unit, actor, reason
-- columns: none
-- budget_ms: 20
INSERT INTO alert_event (environment, key, kind, at, severity, subject, sentence, value, threshold, unit, actor,
    reason)
VALUES (:environment, :key, :kind, :at, :severity, :subject, :sentence, :value, :threshold, :unit, :actor, :reason)
