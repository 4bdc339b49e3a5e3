-- name: rows_without_time
-- about: Rows of a plain table whose time column is NULL: a hypertable cannot hold them.
-- timescaledb: >=2.11
-- columns: rows rows
-- budget_ms: 5000
SELECT count(*) AS rows FROM {relation} WHERE {column} IS NULL
