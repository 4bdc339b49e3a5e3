-- name: plan_named
-- about: Kept plans of that number, or whose id begins so.
-- params: wanted
-- columns: id text; number int; environment text; author text; provider text; comment text; created_at text; policy_version int; plan_hash text; state_hash text; operations int
-- budget_ms: 20
SELECT id, number, environment, author, provider, comment, created_at, policy_version, plan_hash, state_hash, operations
FROM kept_plan WHERE CAST(number AS TEXT) = :wanted OR (length(:wanted) >= 4 AND substr(id, 1, length(:wanted)) = :wanted)
