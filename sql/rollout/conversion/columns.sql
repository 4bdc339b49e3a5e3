-- name: columns
-- about: The columns of the table, in order. statistics: the target where it was set.
-- timescaledb: >=2.11
-- params: schema, table
-- columns: name text; type text; not_null boolean; default_value text; identity text; generated boolean; statistics int; options text[]
-- budget_ms: 40
SELECT
    a.attname::text AS name,
    format_type(a.atttypid, a.atttypmod) AS type,
    a.attnotnull AS not_null,
    pg_get_expr(d.adbin, d.adrelid) AS default_value,
    a.attidentity::text AS identity,
    a.attgenerated <> '' AS generated,
    nullif(a.attstattarget, -1)::int AS statistics,
    to_json(a.attoptions) AS options
FROM pg_attribute a
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = to_regclass(format('%I.%I', CAST(:schema AS text), CAST(:table AS text))) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
