-- name: aggregates
-- about: The same from the public view, for versions whose catalogue is not known here. The bucket is read from the view's text; the watermark is not told there.
-- timescaledb: >=2.11
-- columns: schema_name text; view_name text; storage_schema text; storage_name text; source_schema text; source_name text; source_is_aggregate boolean; materialized_only boolean; bucket_text text; bucket_width interval; watermark timestamptz
-- budget_ms: 60
SELECT
    a.view_schema::text AS schema_name,
    a.view_name::text AS view_name,
    a.materialization_hypertable_schema::text AS storage_schema,
    a.materialization_hypertable_name::text AS storage_name,
    coalesce(p.view_schema, a.hypertable_schema)::text AS source_schema,
    coalesce(p.view_name, a.hypertable_name)::text AS source_name,
    p.view_name IS NOT NULL AS source_is_aggregate,
    a.materialized_only,
    b.bucket_text,
    b.bucket_text::interval AS bucket_width,
    NULL::timestamptz AS watermark
FROM timescaledb_information.continuous_aggregates a
CROSS JOIN LATERAL (SELECT substring(a.view_definition FROM 'time_bucket\(''([^'']+)''') AS bucket_text) b
LEFT JOIN timescaledb_information.continuous_aggregates p
    ON p.materialization_hypertable_schema = a.hypertable_schema
    AND p.materialization_hypertable_name = a.hypertable_name
ORDER BY 1, 2
