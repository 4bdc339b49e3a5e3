-- name: log_length
-- about: Template: how many changes wait in the log, counted up to a bound.
-- columns: rows rows
-- budget_ms: 200
SELECT count(*) AS rows FROM (SELECT FROM {log} LIMIT {most}) l
