-- name: live_chunk_sizes
-- about: Live sizes of a hypertable's newest compressed chunks, beside the sizes stored when they were compressed.
-- timescaledb: >=2.28, <2.29
-- params: schema, table, limit
-- columns: chunk_schema text; chunk text; range_start timestamptz; stored_bytes bytes; live_bytes bytes
-- budget_ms: 40
SELECT
    n.nspname::text AS chunk_schema,
    k.relname::text AS chunk,
    CASE WHEN p.range_start BETWEEN -62135596800000000 AND 253402300799000000
        THEN timestamptz 'epoch' + p.range_start * interval '1 microsecond' END AS range_start,
    p.stored_bytes,
    pg_total_relation_size(w.oid) AS live_bytes
FROM (
    SELECT c.*, s.range_start,
        z.compressed_heap_size + z.compressed_toast_size + z.compressed_index_size AS stored_bytes
    FROM _timescaledb_catalog.hypertable h
    JOIN LATERAL (
        SELECT id
        FROM _timescaledb_catalog.dimension
        WHERE hypertable_id = h.id AND interval_length IS NOT NULL
        ORDER BY id
        LIMIT 1
    ) d ON true
    JOIN _timescaledb_catalog.dimension_slice s ON s.dimension_id = d.id
    JOIN _timescaledb_catalog.chunk c ON c.id = s.chunk_id
    JOIN _timescaledb_catalog.compression_chunk_size z ON z.chunk_id = c.id
    WHERE h.schema_name = :schema AND h.table_name = :table
    ORDER BY s.range_start DESC
    LIMIT CAST(:limit AS bigint)
) p
JOIN pg_class k ON k.relname = p.table_name
    AND k.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = p.schema_name)
JOIN _timescaledb_catalog.chunk q ON q.id = p.compressed_chunk_id
JOIN pg_class w ON w.relname = q.table_name
    AND w.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = q.schema_name)
JOIN pg_namespace n ON n.oid = k.relnamespace
ORDER BY p.range_start DESC
