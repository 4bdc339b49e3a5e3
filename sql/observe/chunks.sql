-- name: chunks
-- about: Chunks newest first, of one hypertable (by its storage name) or, with schema NULL, of all. A compressed chunk's size is the stored one plus the empty shell it keeps; others are measured, unless locked exclusively just now.
-- timescaledb: >=2.11, <2.28
-- params: schema, table, limit
-- columns: hypertable_schema text; hypertable_name text; chunk_schema text; chunk text; range_start timestamptz; range_end timestamptz; is_compressed boolean; is_partial boolean; is_frozen boolean; size_bytes bytes; index_bytes bytes; before_bytes bytes; after_bytes bytes; rows rows; batches rows
-- budget_ms: 150
WITH picked AS (
    SELECT h.schema_name AS hypertable_schema, h.table_name AS hypertable_name, c.*, s.range_start, s.range_end,
        d.column_type::text NOT IN ('smallint', 'integer', 'bigint') AS is_time
    FROM _timescaledb_catalog.hypertable h
    JOIN LATERAL (
        SELECT id, column_type
        FROM _timescaledb_catalog.dimension
        WHERE hypertable_id = h.id AND interval_length IS NOT NULL
        ORDER BY id
        LIMIT 1
    ) d ON true
    JOIN _timescaledb_catalog.dimension_slice s ON s.dimension_id = d.id
    JOIN _timescaledb_catalog.chunk_constraint cc ON cc.dimension_slice_id = s.id
    JOIN _timescaledb_catalog.chunk c ON c.id = cc.chunk_id
    WHERE NOT c.osm_chunk
        AND (CAST(:schema AS text) IS NULL OR (h.schema_name = :schema AND h.table_name = :table))
    ORDER BY s.range_start DESC
    LIMIT CAST(:limit AS bigint)
),
sized AS (
    SELECT p.*, n.nspname, k.relname, k.reltuples, pg_stat_get_live_tuples(k.oid) AS live_rows, z.chunk_id IS NOT NULL AS stored, z.numrows_pre_compression,
        z.numrows_post_compression,
        z.uncompressed_heap_size + z.uncompressed_toast_size + z.uncompressed_index_size AS before_bytes,
        z.compressed_heap_size + z.compressed_toast_size + z.compressed_index_size AS after_bytes,
        z.compressed_index_size,
        CASE
            WHEN p.status & 9 = 1 AND z.chunk_id IS NOT NULL THEN CASE WHEN k.reltoastrelid <> 0 THEN 8192 ELSE 0 END
            WHEN k.oid = ANY (ARRAY(SELECT relation FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation IS NOT NULL))
                THEN 8192 * k.relpages::bigint
            ELSE pg_table_size(k.oid)
        END AS own_bytes,
        CASE
            WHEN (p.status & 9 = 1 AND z.chunk_id IS NOT NULL)
                OR k.oid = ANY (ARRAY(SELECT relation FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation IS NOT NULL))
                THEN (
                    -- An empty BRIN index keeps a free-space map of three pages too.
                    SELECT 8192 * sum(greatest(i.relpages, 1) + CASE WHEN m.amname = 'brin' THEN 3 ELSE 0 END)
                    FROM pg_index x
                    JOIN pg_class i ON i.oid = x.indexrelid
                    JOIN pg_am m ON m.oid = i.relam
                    WHERE x.indrelid = k.oid
                )
            ELSE pg_indexes_size(k.oid)
        END AS own_index_bytes
    FROM picked p
    JOIN pg_class k ON k.relname = p.table_name
        AND k.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = p.schema_name)
    JOIN pg_namespace n ON n.oid = k.relnamespace
    LEFT JOIN _timescaledb_catalog.compression_chunk_size z ON z.chunk_id = p.id
)
SELECT
    hypertable_schema::text AS hypertable_schema,
    hypertable_name::text AS hypertable_name,
    nspname::text AS chunk_schema,
    relname::text AS chunk,
    CASE WHEN is_time AND range_start BETWEEN -62135596800000000 AND 253402300799000000
        THEN timestamptz 'epoch' + range_start * interval '1 microsecond' END AS range_start,
    CASE WHEN is_time AND range_end BETWEEN -62135596800000000 AND 253402300799000000
        THEN timestamptz 'epoch' + range_end * interval '1 microsecond' END AS range_end,
    status & 1 = 1 AS is_compressed,
    status & 9 = 9 AS is_partial,
    status & 4 = 4 AS is_frozen,
    coalesce(after_bytes, 0) + coalesce(own_bytes, 0) + coalesce(own_index_bytes, 0)::bigint AS size_bytes,
    coalesce(compressed_index_size, 0) + coalesce(own_index_bytes, 0)::bigint AS index_bytes,
    before_bytes,
    after_bytes,
    CASE
        WHEN NOT stored THEN CASE WHEN reltuples > 0 THEN reltuples::bigint ELSE nullif(live_rows, 0) END
        -- Late rows of a partial chunk are left out: they may have brought whole batches back with them (2.11 does).
        ELSE numrows_pre_compression
    END AS rows,
    numrows_post_compression AS batches
FROM sized
ORDER BY range_start DESC NULLS LAST, hypertable_schema, hypertable_name
