-- name: constraints
-- about: The constraints of the table, but not the NOT NULL ones that PostgreSQL 18 lists. kind: p, u, c, f, x, t.
-- timescaledb: >=2.11
-- params: schema, table
-- columns: name text; kind text; definition text; columns text[]; valid boolean; index_name text; comment text; references_name text
-- budget_ms: 40
SELECT
    o.conname::text AS name,
    o.contype::text AS kind,
    pg_get_constraintdef(o.oid) AS definition,
    (
        SELECT json_agg(a.attname ORDER BY k.place)
        FROM unnest(o.conkey) WITH ORDINALITY AS k(attnum, place)
        JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.attnum
    ) AS columns,
    o.convalidated AS valid,
    CASE WHEN o.contype IN ('p', 'u', 'x') THEN i.relname::text END AS index_name,
    obj_description(o.oid, 'pg_constraint') AS comment,
    CASE WHEN o.confrelid <> 0 THEN (SELECT format('%I.%I', n.nspname, r.relname) FROM pg_class r
        JOIN pg_namespace n ON n.oid = r.relnamespace WHERE r.oid = o.confrelid) END AS references_name
FROM pg_constraint o
LEFT JOIN pg_class i ON i.oid = o.conindid
WHERE o.conrelid = to_regclass(format('%I.%I', CAST(:schema AS text), CAST(:table AS text))) AND o.contype <> 'n'
ORDER BY o.contype, o.conname
