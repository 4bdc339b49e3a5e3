-- name: segment_statistics
-- about: The planner's count of distinct values of each named column over a whole table, hypertable or plain, absent where it was never analysed or may not be read. Negative: a share of the rows.
-- timescaledb: >=2.11
-- params: schemas, tables, columns
-- columns: hypertable_schema text; hypertable_name text; column_name text; distinct_values float
-- budget_ms: 40
SELECT
    w.schema_name AS hypertable_schema,
    w.table_name AS hypertable_name,
    w.column_name,
    s.n_distinct::float AS distinct_values
FROM unnest(CAST(:schemas AS text[]), CAST(:tables AS text[]), CAST(:columns AS text[]))
    AS w (schema_name, table_name, column_name)
CROSS JOIN LATERAL (
    SELECT n_distinct
    FROM pg_stats
    WHERE schemaname = w.schema_name AND tablename = w.table_name AND attname = w.column_name
    ORDER BY inherited DESC  -- a hypertable's rows are all in its chunks
    LIMIT 1
) s
ORDER BY 1, 2, 3
