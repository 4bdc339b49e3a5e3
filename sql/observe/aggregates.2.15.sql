-- name: aggregates
-- about: Continuous aggregates with what they read, their bucket and how far they are filled (watermark: the end of the last filled bucket).
-- timescaledb: >=2.15, <2.30
-- columns: schema_name text; view_name text; storage_schema text; storage_name text; source_schema text; source_name text; source_is_aggregate boolean; materialized_only boolean; bucket_text text; bucket_width interval; watermark timestamptz
-- budget_ms: 20
SELECT
    a.user_view_schema::text AS schema_name,
    a.user_view_name::text AS view_name,
    m.schema_name::text AS storage_schema,
    m.table_name::text AS storage_name,
    coalesce(p.user_view_schema, r.schema_name)::text AS source_schema,
    coalesce(p.user_view_name, r.table_name)::text AS source_name,
    p.mat_hypertable_id IS NOT NULL AS source_is_aggregate,
    a.materialized_only,
    b.bucket_width AS bucket_text,
    CASE WHEN b.bucket_width !~ '^-?[0-9]+$' THEN b.bucket_width::interval END AS bucket_width,
    CASE WHEN w.watermark BETWEEN -62135596800000000 AND 253402300799000000
            AND d.column_type::text NOT IN ('smallint', 'integer', 'bigint')
        THEN timestamptz 'epoch' + w.watermark * interval '1 microsecond' END AS watermark
FROM _timescaledb_catalog.continuous_agg a
JOIN _timescaledb_catalog.hypertable m ON m.id = a.mat_hypertable_id
JOIN _timescaledb_catalog.hypertable r ON r.id = a.raw_hypertable_id
JOIN LATERAL (
    SELECT column_type
    FROM _timescaledb_catalog.dimension
    WHERE hypertable_id = m.id AND interval_length IS NOT NULL
    ORDER BY id
    LIMIT 1
) d ON true
LEFT JOIN _timescaledb_catalog.continuous_agg p ON p.mat_hypertable_id = a.raw_hypertable_id
LEFT JOIN _timescaledb_catalog.continuous_aggs_watermark w ON w.mat_hypertable_id = a.mat_hypertable_id
LEFT JOIN _timescaledb_catalog.continuous_aggs_bucket_function b ON b.mat_hypertable_id = a.mat_hypertable_id
ORDER BY 1, 2
