-- name: compression_settings
-- about: The same from the public view, which needs USAGE of the schema from 2.14 on.
-- timescaledb: >=2.11
-- columns: hypertable_schema text; hypertable_name text; segment_by text[]; order_by text[]
-- budget_ms: 20
SELECT
    hypertable_schema::text AS hypertable_schema,
    hypertable_name::text AS hypertable_name,
    coalesce(array_agg(attname::text ORDER BY segmentby_column_index)
        FILTER (WHERE segmentby_column_index IS NOT NULL), '{}') AS segment_by,
    coalesce(array_agg(
        attname || CASE WHEN orderby_asc THEN '' ELSE ' DESC' END
            || CASE WHEN orderby_nullsfirst = orderby_asc
                THEN CASE WHEN orderby_nullsfirst THEN ' NULLS FIRST' ELSE ' NULLS LAST' END ELSE '' END
        ORDER BY orderby_column_index)
        FILTER (WHERE orderby_column_index IS NOT NULL), '{}') AS order_by
FROM timescaledb_information.compression_settings
GROUP BY hypertable_schema, hypertable_name
ORDER BY 1, 2
