-- name: plans
-- about: Kept plans of an environment, newest first, without their documents.
-- params: environment, most
-- columns: id text; number int; environment text; author text; provider text; comment text; created_at text; policy_version int; plan_hash text; state_hash text; operations int
-- budget_ms: 20
SELECT id, number, environment, author, provider, comment, created_at, policy_version, plan_hash, state_hash, operations
FROM kept_plan WHERE environment = coalesce(:environment, environment) ORDER BY number DESC LIMIT :most
