-- name: null_times
-- about: Template: rows without a time, with an infinite one, and sets of rows that would share a key.
-- columns: without_time rows; infinite rows
-- budget_ms: 60000
SELECT count(*) FILTER (WHERE s.{time} IS NULL) AS without_time, count(*) FILTER (WHERE NOT isfinite(s.{time})) AS infinite
FROM {source} s
