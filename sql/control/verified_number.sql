-- name: verified_number
-- about: Which verified state of a database is the last.
-- params: source
-- columns: id int
-- budget_ms: 20
SELECT max(id) AS id FROM verified_state WHERE source = :source
