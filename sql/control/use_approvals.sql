-- name: use_approvals
-- about: What approvals were taken for has begun: they are used.
-- params: taken_for, used_at
-- columns: id int
-- budget_ms: 20
UPDATE approval SET used_at = :used_at
WHERE taken_for = :taken_for AND used_at IS NULL
RETURNING id
