-- name: hypertables
-- about: Every hypertable and continuous aggregate of the database; storage_ names the hypertable that holds an aggregate's rows.
-- timescaledb: >=2.26, <2.29
-- columns: schema_name text; table_name text; kind text; storage_schema text; storage_name text; time_column text; time_type text; chunk_interval interval; dimensions int; compression_enabled boolean; chunks int; compressed_chunks int; partial_chunks int
-- budget_ms: 40
SELECT
    coalesce(a.user_view_schema, h.schema_name)::text AS schema_name,
    coalesce(a.user_view_name, h.table_name)::text AS table_name,
    CASE WHEN a.mat_hypertable_id IS NULL THEN 'hypertable' ELSE 'continuous aggregate' END AS kind,
    h.schema_name::text AS storage_schema,
    h.table_name::text AS storage_name,
    d.column_name::text AS time_column,
    d.column_type::text AS time_type,
    CASE WHEN d.column_type::text NOT IN ('smallint', 'integer', 'bigint')
        THEN d.interval_length * interval '1 microsecond' END AS chunk_interval,
    h.num_dimensions::int AS dimensions,
    h.compression_state = 1 AS compression_enabled,
    coalesce(n.chunks, 0)::int AS chunks,
    coalesce(n.compressed, 0)::int AS compressed_chunks,
    coalesce(n.partial, 0)::int AS partial_chunks
FROM _timescaledb_catalog.hypertable h
JOIN LATERAL (
    SELECT column_name, column_type, interval_length
    FROM _timescaledb_catalog.dimension
    WHERE hypertable_id = h.id AND interval_length IS NOT NULL
    ORDER BY id
    LIMIT 1
) d ON true
LEFT JOIN _timescaledb_catalog.continuous_agg a ON a.mat_hypertable_id = h.id
LEFT JOIN (
    SELECT hypertable_id, count(*) AS chunks,
        count(*) FILTER (WHERE status & 1 = 1) AS compressed,
        count(*) FILTER (WHERE status & 9 = 9) AS partial
    FROM _timescaledb_catalog.chunk
    WHERE NOT osm_chunk
    GROUP BY hypertable_id
) n ON n.hypertable_id = h.id
ORDER BY 1, 2
