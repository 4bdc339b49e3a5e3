-- name: time_histogram
-- about: For tables of a schema, the planner's equal-frequency bins of a time column: bounds in order, absent where never analysed.
-- timescaledb: >=2.11
-- params: schema, tables, time_columns
-- columns: table_name text; bounds timestamptz[]; null_share share; distinct_values float
-- budget_ms: 20
SELECT
    s.tablename::text AS table_name,
    s.histogram_bounds::text::timestamptz[] AS bounds,
    s.null_frac::float AS null_share,
    s.n_distinct::float AS distinct_values
FROM unnest(CAST(:tables AS text[]), CAST(:time_columns AS text[])) AS w (table_name, time_column)
JOIN pg_stats s ON s.schemaname = :schema AND s.tablename = w.table_name AND s.attname = w.time_column
WHERE NOT s.inherited AND s.histogram_bounds IS NOT NULL
ORDER BY 1
