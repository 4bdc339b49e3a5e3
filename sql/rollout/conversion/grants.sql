-- name: grants
-- about: Who may do what with the table (column_name null) and with single columns; grantee null: everybody.
-- timescaledb: >=2.11
-- params: schema, table
-- columns: column_name text; grantee text; privilege text; grantable boolean; attnum int; place bigint
-- budget_ms: 40
SELECT NULL::text AS column_name, CASE WHEN x.grantee <> 0 THEN pg_get_userbyid(x.grantee)::text END AS grantee,
    x.privilege_type AS privilege, x.is_grantable AS grantable, 0 AS attnum, x.place
FROM pg_class c
CROSS JOIN LATERAL aclexplode(c.relacl) WITH ORDINALITY AS x(grantor, grantee, privilege_type, is_grantable, place)
WHERE c.oid = to_regclass(format('%I.%I', CAST(:schema AS text), CAST(:table AS text)))
UNION ALL
SELECT a.attname::text, CASE WHEN x.grantee <> 0 THEN pg_get_userbyid(x.grantee)::text END, x.privilege_type, x.is_grantable,
    a.attnum, x.place
FROM pg_attribute a
CROSS JOIN LATERAL aclexplode(a.attacl) WITH ORDINALITY AS x(grantor, grantee, privilege_type, is_grantable, place)
WHERE a.attrelid = to_regclass(format('%I.%I', CAST(:schema AS text), CAST(:table AS text))) AND NOT a.attisdropped
ORDER BY attnum, place
