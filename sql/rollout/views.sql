-- name: views
-- about: The named views of a schema, continuous aggregates among them, with what must come back when one is made anew.
-- timescaledb: >=2.11
-- params: schema, views
-- columns: name text; owner text; comment text; definition text; options text[]; is_aggregate boolean; grants json; used_by text[]
-- budget_ms: 30
SELECT
    c.relname::text AS name,
    pg_get_userbyid(c.relowner)::text AS owner,
    obj_description(c.oid, 'pg_class') AS comment,
    pg_get_viewdef(c.oid) AS definition,
    coalesce(c.reloptions, '{}') AS options,
    g.view_name IS NOT NULL AS is_aggregate,
    (
        SELECT json_agg(json_build_object(
            'grantee', CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x.grantee) END,
            'privilege', x.privilege_type, 'grantable', x.is_grantable, 'column', NULL) ORDER BY x.grantee, x.privilege_type)
        FROM aclexplode(c.relacl) x
        WHERE x.grantee <> c.relowner
    ) AS grants,
    (
        SELECT coalesce(array_agg(DISTINCT format('%I.%I', m.nspname, r.relname)), '{}')
        FROM pg_depend d
        JOIN pg_rewrite w ON w.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
        JOIN pg_class r ON r.oid = w.ev_class AND r.oid <> c.oid
        JOIN pg_namespace m ON m.oid = r.relnamespace
        WHERE d.refobjid = c.oid AND d.refclassid = 'pg_class'::regclass AND m.nspname <> '_timescaledb_internal'
            AND NOT EXISTS (
                SELECT FROM timescaledb_information.continuous_aggregates a
                WHERE a.view_schema = m.nspname AND a.view_name = r.relname
            )
    ) AS used_by
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN timescaledb_information.continuous_aggregates g ON g.view_schema = n.nspname AND g.view_name = c.relname
WHERE n.nspname = :schema AND c.relkind = 'v'
    AND (c.relname = ANY (CAST(:views AS text[])) OR g.view_name IS NOT NULL)
ORDER BY 1
