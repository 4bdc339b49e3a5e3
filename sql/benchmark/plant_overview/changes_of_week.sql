-- name: changes_of_week
-- about: The newest changes of the production context.
-- params: anchor, week_before
-- columns: changed_at timestamptz; equipment_code text; change_reason text
-- budget_ms: 2000
SELECT changed_at, equipment_code, change_reason
FROM {schema}.production_context_history
WHERE changed_at > :week_before AND changed_at <= :anchor
ORDER BY changed_at DESC
LIMIT 200
