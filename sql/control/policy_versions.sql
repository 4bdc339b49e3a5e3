-- name: policy_versions
-- about: The saved policy sets, newest first, without their texts.
-- columns: number int; hash text; author text; comment text; created_at text; based_on int
-- budget_ms: 20
SELECT number, hash, author, comment, created_at, based_on FROM policy_version ORDER BY number DESC
