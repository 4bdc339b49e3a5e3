-- name: tables
-- about: The named tables of a schema with all that a conversion must keep or an inverse must bring back. Row counts are from statistics; sizes of hypertables are not told here.
-- timescaledb: >=2.11
-- params: schema, tables
-- columns: name text; owner text; comment text; options text[]; is_partitioned boolean; row_security boolean; rows rows; size_bytes bytes; index_bytes bytes; columns json; constraints json; referenced_by json; triggers json; sequences json; grants json; views json; extras text[]
-- budget_ms: 60
SELECT
    c.relname::text AS name,
    pg_get_userbyid(c.relowner)::text AS owner,
    obj_description(c.oid, 'pg_class') AS comment,
    coalesce((SELECT array_agg(o ORDER BY o) FROM unnest(c.reloptions) o), '{}') AS options,
    c.relkind = 'p' OR c.relispartition
        OR EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid) AS is_partitioned,
    c.relrowsecurity OR EXISTS (SELECT FROM pg_publication_rel p WHERE p.prrelid = c.oid) AS row_security,
    (CASE WHEN c.reltuples >= 0 AND c.relpages > 0 THEN c.reltuples ELSE coalesce(pg_stat_get_live_tuples(c.oid), 0) END)::bigint
        AS rows,
    pg_total_relation_size(c.oid) AS size_bytes,
    pg_indexes_size(c.oid) AS index_bytes,
    (
        SELECT json_agg(json_build_object(
            'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
            'default', pg_get_expr(d.adbin, d.adrelid), 'generated', a.attgenerated <> '', 'identity', a.attidentity
        ) ORDER BY a.attnum)
        FROM pg_attribute a
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    ) AS columns,
    (
        SELECT json_agg(json_build_object(
            'name', o.conname, 'kind', o.contype, 'definition', pg_get_constraintdef(o.oid),
            'comment', obj_description(o.oid, 'pg_constraint'),
            'columns', (
                SELECT coalesce(json_agg(a.attname ORDER BY k.place), '[]')
                FROM unnest(o.conkey) WITH ORDINALITY k (number, place)
                JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.number
            )
        ) ORDER BY o.contype DESC, o.conname)
        FROM pg_constraint o
        -- Newer servers list NOT NULL as constraints too; that is told with the columns.
        WHERE o.conrelid = c.oid AND o.contype IN ('p', 'u', 'f', 'c', 'x')
    ) AS constraints,
    (
        SELECT json_agg(json_build_object(
            'table', format('%I.%I', n.nspname, r.relname), 'name', o.conname, 'definition', pg_get_constraintdef(o.oid)
        ) ORDER BY n.nspname, r.relname, o.conname)
        FROM pg_constraint o
        JOIN pg_class r ON r.oid = o.conrelid
        JOIN pg_namespace n ON n.oid = r.relnamespace
        WHERE o.confrelid = c.oid AND o.contype = 'f' AND n.nspname <> '_timescaledb_internal'
    ) AS referenced_by,
    (
        SELECT json_agg(json_build_object(
            'name', t.tgname, 'definition', pg_get_triggerdef(t.oid), 'enabled', t.tgenabled = 'O',
            'uses_transition_tables', t.tgoldtable IS NOT NULL OR t.tgnewtable IS NOT NULL
        ) ORDER BY t.tgname)
        FROM pg_trigger t
        -- TimescaleDB's own triggers come and go with the hypertable and its aggregates.
        WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgname NOT IN ('ts_insert_blocker', 'ts_cagg_invalidation_trigger')
    ) AS triggers,
    (
        SELECT json_agg(json_build_object('name', format('%I.%I', n.nspname, s.relname), 'column', a.attname) ORDER BY a.attnum)
        FROM pg_depend d
        JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
        JOIN pg_namespace n ON n.oid = s.relnamespace
        JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.refobjid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.classid = 'pg_class'::regclass
            AND d.deptype = 'a'
    ) AS sequences,
    (
        SELECT json_agg(g ORDER BY g ->> 'grantee', g ->> 'column', g ->> 'privilege')
        FROM (
            SELECT json_build_object(
                'grantee', CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x.grantee) END,
                'privilege', x.privilege_type, 'grantable', x.is_grantable, 'column', p.column_name)
            FROM (
                SELECT c.relacl AS acl, NULL::name AS column_name
                UNION ALL
                SELECT a.attacl, a.attname FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL
            ) p
            CROSS JOIN LATERAL aclexplode(p.acl) x
            WHERE x.grantee <> c.relowner
        ) listed (g)
    ) AS grants,
    (
        SELECT json_agg(json_build_object(
            'name', v.name, 'definition', pg_get_viewdef(v.oid), 'owner', pg_get_userbyid(v.relowner),
            'comment', obj_description(v.oid, 'pg_class'), 'is_materialized', v.relkind = 'm',
            'options', v.reloptions, 'grants', (
                SELECT coalesce(json_agg(json_build_object(
                    'grantee', CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x.grantee) END,
                    'privilege', x.privilege_type, 'grantable', x.is_grantable, 'column', NULL)
                    ORDER BY x.grantee, x.privilege_type), '[]')
                FROM aclexplode(v.relacl) x WHERE x.grantee <> v.relowner
            )
        ) ORDER BY v.oid)
        FROM (
            SELECT DISTINCT r.oid, r.relowner, r.relkind, r.relacl, r.reloptions, format('%I.%I', n.nspname, r.relname) AS name
            FROM pg_depend d
            JOIN pg_rewrite w ON w.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
            JOIN pg_class r ON r.oid = w.ev_class AND r.oid <> c.oid
            JOIN pg_namespace n ON n.oid = r.relnamespace
            WHERE d.refobjid = c.oid AND d.refclassid = 'pg_class'::regclass
                -- Aggregates and their parts are told apart.
                AND n.nspname <> '_timescaledb_internal'
                AND NOT EXISTS (
                    SELECT FROM timescaledb_information.continuous_aggregates g
                    WHERE g.view_schema = n.nspname AND g.view_name = r.relname
                )
        ) v
    ) AS views,
    ARRAY(
        -- As text that is equal where the thing is: what a copy by LIKE and by what stands above would not have.
        SELECT format('identity column %s', a.attname) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attidentity <> '' AND NOT a.attisdropped
        UNION ALL
        SELECT format('column %s: statistics %s, options %s', a.attname, nullif(a.attstattarget, -1), a.attoptions)
        FROM pg_attribute a
        WHERE a.attrelid = c.oid AND NOT a.attisdropped AND a.attnum > 0
            AND (nullif(a.attstattarget, -1) IS NOT NULL OR a.attoptions IS NOT NULL)
        UNION ALL
        SELECT concat_ws(': ', pg_get_statisticsobjdef(s.oid), obj_description(s.oid, 'pg_statistic_ext'))
        FROM pg_statistic_ext s WHERE s.stxrelid = c.oid
        UNION ALL
        SELECT format('trigger %s: enabled %s, comment %s', t.tgname, t.tgenabled, obj_description(t.oid, 'pg_trigger'))
        FROM pg_trigger t
        WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
            AND (t.tgenabled NOT IN ('O', 'D') OR obj_description(t.oid, 'pg_trigger') IS NOT NULL)
        UNION ALL
        SELECT format('rule %s', r.rulename) FROM pg_rewrite r WHERE r.ev_class = c.oid AND c.relkind = 'r'
        UNION ALL
        SELECT format('toast options %s', x.reloptions) FROM pg_class x WHERE x.oid = c.reltoastrelid AND x.reloptions IS NOT NULL
        UNION ALL
        SELECT 'replica identity ' || c.relreplident::text WHERE c.relreplident <> 'd'
        UNION ALL
        SELECT 'tablespace ' || p.spcname FROM pg_tablespace p WHERE p.oid = c.reltablespace
        UNION ALL
        SELECT 'persistence ' || c.relpersistence::text WHERE c.relpersistence <> 'p'
        UNION ALL
        SELECT 'clustered on ' || i.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
        WHERE x.indrelid = c.oid AND x.indisclustered
        ORDER BY 1
    ) AS extras
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :schema AND c.relname = ANY (CAST(:tables AS text[])) AND c.relkind IN ('r', 'p')
ORDER BY 1
