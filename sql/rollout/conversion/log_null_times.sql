-- name: log_null_times
-- about: Template: puts the rows that have no time yet into the log, so that catching up carries them over.
-- columns: none
-- budget_ms: 60000
INSERT INTO {log} ({log_columns}) SELECT {columns} FROM {source} WHERE {time} IS NULL
