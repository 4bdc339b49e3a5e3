-- name: note_try
-- about: Keep how sending a notice went; what was superseded meanwhile is not tried again.
-- params: id, delivered_at, next_try_at, failure
-- columns: none
-- budget_ms: 20
UPDATE notice
SET attempts = attempts + 1, delivered_at = :delivered_at, failure = :failure,
    next_try_at = CASE WHEN next_try_at IS NULL THEN NULL ELSE :next_try_at END
WHERE id = :id
