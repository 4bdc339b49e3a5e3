-- name: alerts
-- about: The alerts of an environment that stand, pending ones too; null: of all.
-- params: environment
-- columns: environment text; key text; rule text; subject text; severity text; worst text; sentence text; next_step text; page text; value real; threshold real; unit text; level real; further_from real; status text; first_seen_at text; opened_at text; seen_at text; times_seen count; times_missed count; told_at text; acknowledged_at text; acknowledged_by text; reason text; accepted_from real
-- budget_ms: 20
SELECT environment, key, rule, subject, severity, worst, sentence, next_step, page, value, threshold, unit, level,
       further_from, status, first_seen_at, opened_at, seen_at, times_seen, times_missed, told_at, acknowledged_at,
       acknowledged_by, reason, accepted_from
FROM alert
WHERE :environment IS NULL OR environment = :environment
ORDER BY environment, key
