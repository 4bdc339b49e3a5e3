-- name: grants
-- about: Who may do what with the table (column_name null) and with single columns; grantee null: everybody.
-- timescaledb: >=2.11
-- params: schema, table
-- columns: column_name text; grantee text; privilege text; grantable boolean
-- budget_ms: 40
SELECT NULL::text AS column_name, CASE WHEN x.grantee <> 0 THEN pg_get_userbyid(x.grantee)::text END AS grantee,
    x.privilege_type AS privilege, x.is_grantable AS grantable
FROM pg_class c
CROSS JOIN LATERAL aclexplode(c.relacl) x
WHERE c.oid = to_regclass(format('%I.%I', CAST(:schema AS text), CAST(:table AS text)))
UNION ALL
SELECT a.attname::text, CASE WHEN x.grantee <> 0 THEN pg_get_userbyid(x.grantee)::text END, x.privilege_type, x.is_grantable
FROM pg_attribute a
CROSS JOIN LATERAL aclexplode(a.attacl) x
WHERE a.attrelid = to_regclass(format('%I.%I', CAST(:schema AS text), CAST(:table AS text))) AND NOT a.attisdropped
ORDER BY 1 NULLS FIRST, 2, 3
