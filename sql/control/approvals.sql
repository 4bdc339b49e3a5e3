-- name: approvals
-- about: The approvals of a subject, newest first.
-- params: subject
-- columns: id int; subject text; hash text; approver text; provider text; comment text; approved_at text; expires_at text; withdrawn_at text; withdrawn_by text; taken_for text; used_at text
-- budget_ms: 20
SELECT id, subject, hash, approver, provider, comment, approved_at, expires_at, withdrawn_at, withdrawn_by, taken_for, used_at
FROM approval WHERE subject = :subject ORDER BY id DESC
