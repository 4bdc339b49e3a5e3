-- name: compression_settings
-- about: Segment-by and order-by of every hypertable (storage names) that has compression switched on.
-- timescaledb: >=2.14, <2.30
-- columns: hypertable_schema text; hypertable_name text; segment_by text[]; order_by text[]
-- budget_ms: 20
SELECT
    h.schema_name::text AS hypertable_schema,
    h.table_name::text AS hypertable_name,
    coalesce(s.segmentby, '{}') AS segment_by,
    coalesce((
        SELECT array_agg(
            o.name || CASE WHEN o.is_desc THEN ' DESC' ELSE '' END
                || CASE WHEN o.nulls_first <> o.is_desc
                    THEN CASE WHEN o.nulls_first THEN ' NULLS FIRST' ELSE ' NULLS LAST' END ELSE '' END
            ORDER BY o.place)
        FROM unnest(s.orderby, s.orderby_desc, s.orderby_nullsfirst)
            WITH ORDINALITY AS o (name, is_desc, nulls_first, place)
    ), '{}') AS order_by
FROM _timescaledb_catalog.hypertable h
JOIN pg_namespace n ON n.nspname = h.schema_name
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = h.table_name
JOIN _timescaledb_catalog.compression_settings s ON s.relid = c.oid
WHERE EXISTS (
    SELECT FROM _timescaledb_catalog.dimension d WHERE d.hypertable_id = h.id AND d.interval_length IS NOT NULL
)
ORDER BY 1, 2
