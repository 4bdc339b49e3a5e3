-- name: use_approvals
-- about: The approvals of a subject that still stand were used: what they were for begins now.
-- params: subject, used_at
-- columns: id int
-- budget_ms: 20
UPDATE approval SET used_at = :used_at
WHERE subject = :subject AND used_at IS NULL AND withdrawn_at IS NULL
RETURNING id
