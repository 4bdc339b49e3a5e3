-- name: claim_notice
-- about: Take a notice that is due for oneself until an instant; no row where another process has it, or something newer took its place.
-- params: id, due, until
-- columns: id count
-- budget_ms: 20
UPDATE notice SET next_try_at = :until
WHERE id = :id AND next_try_at = :due
RETURNING id
