-- name: table_bytes
-- about: What a plain table takes, with its indexes.
-- timescaledb: >=2.11
-- params: table
-- columns: size_bytes bytes
-- budget_ms: 50
SELECT pg_total_relation_size(CAST(:table AS regclass)) AS size_bytes
