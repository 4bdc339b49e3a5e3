-- name: keys_without_time
-- about: Template: rows of a round that have no time now.
-- columns: rows rows
-- budget_ms: 50
SELECT count(*) AS rows FROM pg_temp.ms5ops_keys k JOIN {source} s ON {match} WHERE k.t IS NULL AND s.{time} IS NULL
