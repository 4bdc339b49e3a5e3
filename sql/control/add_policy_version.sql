-- name: add_policy_version
-- about: A policy set is kept as the next version.
-- params: text, hash, author, comment, created_at, based_on
-- columns: number int
-- budget_ms: 20
INSERT INTO policy_version (number, text, hash, author, comment, created_at, based_on)
SELECT coalesce(max(number), 0) + 1, :text, :hash, :author, :comment, :created_at, :based_on FROM policy_version
RETURNING number
