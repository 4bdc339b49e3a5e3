-- name: obstacles
-- about: What hangs on the table and cannot be carried over to its successor, in words.
-- timescaledb: >=2.11
-- params: schema, table
-- columns: what text
-- budget_ms: 100
WITH t AS (
    SELECT c.oid, c.reltype, y.typarray, c.relreplident
    FROM pg_class c
    LEFT JOIN pg_type y ON y.oid = c.reltype
    WHERE c.oid = to_regclass(format('%I.%I', CAST(:schema AS text), CAST(:table AS text)))
),
hanging AS (
    SELECT DISTINCT d.classid, d.objid, d.objsubid
    FROM t
    JOIN pg_depend d ON (d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid)
        OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.reltype, t.typarray) AND d.deptype <> 'i')
    LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
    LEFT JOIN pg_constraint o ON d.classid = 'pg_constraint'::regclass AND o.oid = d.objid
    LEFT JOIN pg_trigger g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid
    LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_class v ON v.oid = r.ev_class
    LEFT JOIN pg_proc p ON p.oid = g.tgfoid
    WHERE NOT (d.classid = 'pg_class'::regclass AND d.objid = t.oid)
        AND NOT coalesce(c.relkind IN ('i', 't') OR (c.relkind = 'S' AND d.deptype IN ('a', 'i')), false)
        AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid AND i.inhparent = t.oid)
        AND d.classid NOT IN ('pg_attrdef'::regclass, 'pg_statistic_ext'::regclass, 'pg_type'::regclass,
            'pg_publication_rel'::regclass, 'pg_policy'::regclass)
        AND NOT coalesce(o.conrelid = t.oid OR (o.contype = 'f' AND o.confrelid = t.oid), false)
        AND NOT coalesce(g.tgrelid = t.oid, false)
        AND NOT coalesce(g.tgisinternal OR p.pronamespace::regnamespace::text LIKE '\_timescaledb\_%', false)
        AND NOT coalesce(r.rulename = '_RETURN' AND v.relkind = 'v', false)
)
SELECT pg_describe_object(classid, objid, objsubid) AS what FROM hanging
UNION ALL
SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) || ', by the primary or a unique key (GROUP BY),'
FROM t
JOIN pg_constraint o ON o.conrelid = t.oid
JOIN pg_depend d ON d.refclassid = 'pg_constraint'::regclass AND d.refobjid = o.oid
    AND d.classid IN ('pg_rewrite'::regclass, 'pg_proc'::regclass)
UNION ALL
SELECT format('publication %I', p.pubname) FROM pg_publication_tables p WHERE p.schemaname = :schema AND p.tablename = :table
UNION ALL
SELECT 'a logical replication subscription that writes to it' FROM t
WHERE EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = t.oid)
UNION ALL
SELECT format('row security policy %I', p.polname) FROM t JOIN pg_policy p ON p.polrelid = t.oid
UNION ALL
SELECT format('security label of provider %s', l.provider) FROM t
JOIN pg_seclabel l ON l.classoid = 'pg_class'::regclass AND l.objoid = t.oid
UNION ALL
SELECT 'a replica identity by index' FROM t WHERE t.relreplident = 'i'
UNION ALL
SELECT format('continuous aggregate %I.%I', a.view_schema, a.view_name)
FROM timescaledb_information.continuous_aggregates a
WHERE a.hypertable_schema = :schema AND a.hypertable_name = :table
UNION ALL
SELECT format('scheduled job %s (%s)', j.job_id, j.proc_name)
FROM timescaledb_information.jobs j
WHERE j.hypertable_schema = :schema AND j.hypertable_name = :table AND j.scheduled
ORDER BY 1
