-- name: note_try
-- about: Keep how sending a notice went.
-- params: id, delivered_at, next_try_at, failure
-- columns: none
-- budget_ms: 20
UPDATE notice SET attempts = attempts + 1, delivered_at = :delivered_at, next_try_at = :next_try_at, failure =
    :failure
WHERE id = :id
