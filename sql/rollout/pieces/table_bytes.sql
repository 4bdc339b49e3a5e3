-- name: table_bytes
-- about: What a table takes, with its indexes and, where it is a hypertable, with its chunks; and how many those are.
-- timescaledb: >=2.11
-- params: table
-- columns: size_bytes bytes; chunks bigint
-- budget_ms: 50
SELECT pg_total_relation_size(CAST(:table AS regclass)) + coalesce(sum(pg_total_relation_size(i.inhrelid)), 0)::bigint
    AS size_bytes,
    count(*) AS chunks
FROM pg_inherits i
WHERE i.inhparent = CAST(:table AS regclass)
