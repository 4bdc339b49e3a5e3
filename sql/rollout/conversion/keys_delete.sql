-- name: keys_delete
-- about: Template: takes the rows of a round out of the successor.
-- columns: none
-- budget_ms: 1000
DELETE FROM {target} s USING pg_temp.ms5ops_keys k WHERE {match}
