-- name: put_alert
-- about: Keep an alert as it stands now, in place of what was kept of it.
-- params: environment, key, rule, subject, severity, worst, sentence, next_step, page, value, threshold, unit, level, further_from, status, first_seen_at, opened_at, seen_at, times_seen, times_missed, told_at, acknowledged_at, acknowledged_by, reason, accepted_from
-- columns: none
-- budget_ms: 20
INSERT OR REPLACE INTO alert (environment, key, rule, subject, severity, worst, sentence, next_step, page, value,
    threshold, unit, level, further_from, status, first_seen_at, opened_at, seen_at, times_seen, times_missed,
    told_at, acknowledged_at, acknowledged_by, reason, accepted_from)
VALUES (:environment, :key, :rule, :subject, :severity, :worst, :sentence, :next_step, :page, :value, :threshold,
    :unit, :level, :further_from, :status, :first_seen_at, :opened_at, :seen_at, :times_seen, :times_missed,
    :told_at, :acknowledged_at, :acknowledged_by, :reason, :accepted_from)
