-- name: views
-- about: The views that read the table directly; those on top of them are not touched by a conversion.
-- timescaledb: >=2.11
-- params: schema, table
-- columns: schema_name text; name text; owner text; options text[]; definition text
-- budget_ms: 40
SELECT DISTINCT
    n.nspname::text AS schema_name,
    v.relname::text AS name,
    pg_get_userbyid(v.relowner)::text AS owner,
    v.reloptions::text[] AS options,
    pg_get_viewdef(v.oid) AS definition
FROM pg_depend d
JOIN pg_rewrite r ON r.oid = d.objid AND r.rulename = '_RETURN'
JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
JOIN pg_namespace n ON n.oid = v.relnamespace
WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
    AND d.refobjid = to_regclass(format('%I.%I', CAST(:schema AS text), CAST(:table AS text)))
ORDER BY 1, 2
