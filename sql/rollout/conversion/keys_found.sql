-- name: keys_found
-- about: Template: leaves of the keys of a round those whose row is gone.
-- columns: none
-- budget_ms: 1000
DELETE FROM pg_temp.ms5ops_keys k USING {source} s WHERE {match} AND {span}
