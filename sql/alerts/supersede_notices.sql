-- name: supersede_notices
-- about: What was not delivered yet about an alert is not sent any more: there is something newer to tell.
-- params: environment, key
-- columns: none
-- budget_ms: 20
UPDATE notice SET next_try_at = NULL, failure = 'Something newer was to be told.'
WHERE environment = :environment AND key = :key AND delivered_at IS NULL AND next_try_at IS NOT NULL
