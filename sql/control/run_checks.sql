-- name: run_checks
-- about: The checks that a run made, before or after.
-- params: id, checks
-- columns: none
-- budget_ms: 20
UPDATE run SET checks = :checks WHERE id = :id
