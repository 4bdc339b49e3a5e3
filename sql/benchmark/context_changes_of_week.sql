-- name: context_changes_of_week
-- about: The newest 200 changes of the production context in the last week.
-- group: historical
-- target_p95_ms: 2000
-- stands_for: Looking for what changed before a quality problem.
-- params: anchor, week_before
-- columns: changed_at timestamptz; equipment_code text; change_reason text
-- budget_ms: 2000
SELECT changed_at, equipment_code, change_reason
FROM {schema}.production_context_history
WHERE changed_at > :week_before AND changed_at <= :anchor
ORDER BY changed_at DESC
LIMIT 200
