-- name: withdraw_approvals
-- about: The approvals of a subject that still stand no longer do.
-- params: subject, withdrawn_at, withdrawn_by
-- columns: id int
-- budget_ms: 20
UPDATE approval SET withdrawn_at = :withdrawn_at, withdrawn_by = :withdrawn_by
WHERE subject = :subject AND withdrawn_at IS NULL AND used_at IS NULL
RETURNING id
