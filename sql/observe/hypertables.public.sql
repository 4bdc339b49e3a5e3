-- name: hypertables
-- about: The same from the public views, for versions whose catalogue is not known here. Partial chunks are not told there.
-- timescaledb: >=2.11
-- columns: schema_name text; table_name text; kind text; storage_schema text; storage_name text; time_column text; time_type text; chunk_interval interval; dimensions int; compression_enabled boolean; chunks int; compressed_chunks int; partial_chunks int
-- budget_ms: 400
WITH listed AS (
    SELECT hypertable_schema AS schema_name, hypertable_name AS table_name, 'hypertable' AS kind,
        hypertable_schema AS storage_schema, hypertable_name AS storage_name, compression_enabled
    FROM timescaledb_information.hypertables
    UNION ALL
    SELECT view_schema, view_name, 'continuous aggregate',
        materialization_hypertable_schema, materialization_hypertable_name, compression_enabled
    FROM timescaledb_information.continuous_aggregates
),
counted AS (
    SELECT hypertable_schema, hypertable_name, count(*) AS chunks, count(*) FILTER (WHERE is_compressed) AS compressed
    FROM timescaledb_information.chunks
    GROUP BY hypertable_schema, hypertable_name
),
spanned AS (
    SELECT hypertable_schema, hypertable_name, column_name, column_type, time_interval,
        row_number() OVER (PARTITION BY hypertable_schema, hypertable_name ORDER BY dimension_number) AS place,
        count(*) OVER (PARTITION BY hypertable_schema, hypertable_name) AS dimensions
    FROM timescaledb_information.dimensions
)
SELECT
    l.schema_name::text AS schema_name,
    l.table_name::text AS table_name,
    l.kind,
    l.storage_schema::text AS storage_schema,
    l.storage_name::text AS storage_name,
    s.column_name::text AS time_column,
    s.column_type::text AS time_type,
    s.time_interval AS chunk_interval,
    s.dimensions::int AS dimensions,
    l.compression_enabled,
    coalesce(n.chunks, 0)::int AS chunks,
    coalesce(n.compressed, 0)::int AS compressed_chunks,
    0 AS partial_chunks
FROM listed l
LEFT JOIN spanned s
    ON s.hypertable_schema = l.storage_schema AND s.hypertable_name = l.storage_name AND s.place = 1
LEFT JOIN counted n ON n.hypertable_schema = l.storage_schema AND n.hypertable_name = l.storage_name
ORDER BY 1, 2
