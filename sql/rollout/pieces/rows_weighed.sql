-- name: rows_weighed
-- about: How many rows a table has, and the bytes of their values, counted no further than most. The size of the files would mislead: from PostgreSQL 16 on each chunk that create_hypertable fills (migrate_data) is extended by up to 64 pages at once.
-- timescaledb: >=2.11
-- params: most
-- columns: rows rows; data_bytes bytes
-- budget_ms: 500
SELECT count(*) AS rows, coalesce(sum(pg_column_size(t)), 0)::bigint AS data_bytes
FROM (SELECT * FROM {table} LIMIT :most) t
