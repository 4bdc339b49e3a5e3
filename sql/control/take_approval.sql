-- name: take_approval
-- about: An approval is taken for what is about to begin.
-- params: id, taken_for
-- columns: id int
-- budget_ms: 20
UPDATE approval SET taken_for = :taken_for
WHERE id = :id
RETURNING id
