-- name: add_plan
-- about: A plan is kept.
-- params: id, environment, author, provider, comment, created_at, policy_version, policy_text, plan_hash, state_hash, operations, document
-- columns: number int
-- budget_ms: 20
INSERT INTO kept_plan (id, number, environment, author, provider, comment, created_at, policy_version, policy_text, plan_hash,
    state_hash, operations, document)
SELECT :id, coalesce(max(number), 0) + 1, :environment, :author, :provider, :comment, :created_at, :policy_version,
    :policy_text, :plan_hash, :state_hash, :operations, :document
FROM kept_plan
RETURNING number
