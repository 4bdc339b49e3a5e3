-- name: referencing
-- about: The foreign keys of other tables that point to the table; columns are the table's.
-- timescaledb: >=2.11
-- params: schema, table
-- columns: schema_name text; table_name text; name text; definition text; columns text[]; valid boolean; comment text
-- budget_ms: 40
SELECT n.nspname::text AS schema_name, c.relname::text AS table_name, o.conname::text AS name,
    pg_get_constraintdef(o.oid) AS definition,
    (
        SELECT json_agg(a.attname ORDER BY k.place)
        FROM unnest(o.confkey) WITH ORDINALITY AS k(attnum, place)
        JOIN pg_attribute a ON a.attrelid = o.confrelid AND a.attnum = k.attnum
    ) AS columns,
    o.convalidated AS valid,
    obj_description(o.oid, 'pg_constraint') AS comment
FROM pg_constraint o
JOIN pg_class c ON c.oid = o.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE o.contype = 'f' AND o.conparentid = 0
    AND o.confrelid = to_regclass(format('%I.%I', CAST(:schema AS text), CAST(:table AS text)))
ORDER BY 1, 2, 3
