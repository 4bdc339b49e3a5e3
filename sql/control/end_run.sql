-- name: end_run
-- about: A run has ended; nothing where that is known already.
-- params: id, ended_at, outcome, message
-- columns: none
-- budget_ms: 20
UPDATE run SET ended_at = :ended_at, outcome = :outcome, message = :message WHERE id = :id AND ended_at IS NULL
