-- name: trials
-- about: The dry runs of a plan, newest first.
-- params: plan
-- columns: tried_by text; tried_at text; locked_seconds seconds; results json
-- budget_ms: 20
SELECT tried_by, tried_at, locked_seconds, results FROM trial WHERE plan = :plan ORDER BY id DESC
