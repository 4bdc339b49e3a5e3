-- name: chunks
-- about: The same from the public views, for versions whose catalogue is not known here. Partial and frozen chunks and batches are not told there.
-- timescaledb: >=2.11
-- params: schema, table, limit
-- columns: hypertable_schema text; hypertable_name text; chunk_schema text; chunk text; range_start timestamptz; range_end timestamptz; is_compressed boolean; is_partial boolean; is_frozen boolean; size_bytes bytes; index_bytes bytes; before_bytes bytes; after_bytes bytes; rows rows; batches rows
-- budget_ms: 600
WITH picked AS (
    SELECT *
    FROM timescaledb_information.chunks
    WHERE CAST(:schema AS text) IS NULL OR (hypertable_schema = :schema AND hypertable_name = :table)
    ORDER BY range_start DESC NULLS LAST
    LIMIT CAST(:limit AS bigint)
),
stored AS (
    SELECT s.chunk_schema, s.chunk_name, s.before_compression_total_bytes AS before_bytes,
        s.after_compression_total_bytes AS after_bytes, s.after_compression_index_bytes AS after_index_bytes
    FROM (SELECT DISTINCT hypertable_schema, hypertable_name FROM picked WHERE is_compressed) h
    CROSS JOIN LATERAL chunk_compression_stats(format('%I.%I', h.hypertable_schema, h.hypertable_name)::regclass) s
)
SELECT
    p.hypertable_schema::text AS hypertable_schema,
    p.hypertable_name::text AS hypertable_name,
    p.chunk_schema::text AS chunk_schema,
    p.chunk_name::text AS chunk,
    CASE WHEN isfinite(p.range_start) THEN p.range_start END AS range_start,
    CASE WHEN isfinite(p.range_end) THEN p.range_end END AS range_end,
    p.is_compressed,
    false AS is_partial,
    false AS is_frozen,
    coalesce(z.after_bytes, 0) + coalesce(pg_total_relation_size(k.oid), 0) AS size_bytes,
    coalesce(z.after_index_bytes, 0) + coalesce(pg_indexes_size(k.oid), 0) AS index_bytes,
    z.before_bytes,
    z.after_bytes,
    CASE
        WHEN p.is_compressed THEN NULL
        WHEN k.reltuples > 0 THEN k.reltuples::bigint
        ELSE nullif(pg_stat_get_live_tuples(k.oid), 0)
    END AS rows,
    NULL::bigint AS batches
FROM picked p
JOIN pg_class k ON k.relname = p.chunk_name
    AND k.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = p.chunk_schema)
LEFT JOIN stored z ON z.chunk_schema = p.chunk_schema AND z.chunk_name = p.chunk_name
ORDER BY p.range_start DESC NULLS LAST, 1, 2
