-- name: add_approval
-- about: Somebody approves exactly this.
-- params: subject, hash, approver, provider, comment, approved_at, expires_at
-- columns: id int
-- budget_ms: 20
INSERT INTO approval (subject, hash, approver, provider, comment, approved_at, expires_at)
VALUES (:subject, :hash, :approver, :provider, :comment, :approved_at, :expires_at)
RETURNING id
