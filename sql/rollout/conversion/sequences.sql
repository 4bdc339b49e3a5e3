-- name: sequences
-- about: The sequences that belong to columns of the table; identity: they are part of the column.
-- timescaledb: >=2.11
-- params: schema, table
-- columns: column_name text; schema_name text; name text; identity boolean
-- budget_ms: 40
SELECT a.attname::text AS column_name, n.nspname::text AS schema_name, s.relname::text AS name, d.deptype = 'i' AS identity
FROM pg_depend d
JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_namespace n ON n.oid = s.relnamespace
JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    AND d.refobjid = to_regclass(format('%I.%I', CAST(:schema AS text), CAST(:table AS text)))
ORDER BY a.attnum
