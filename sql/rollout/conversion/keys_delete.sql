-- name: keys_delete
-- about: Template: takes the rows of a round out of the successor.
-- columns: rows rows
-- budget_ms: 1000
WITH done AS (
    DELETE FROM {target} s USING pg_temp.ms5ops_keys k WHERE {match} AND {span} RETURNING 1
)
SELECT count(*) AS rows FROM done
