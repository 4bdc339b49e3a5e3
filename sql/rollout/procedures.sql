-- name: procedures
-- about: Procedures of a schema with the signature of a job (integer, jsonb).
-- timescaledb: >=2.11
-- params: schema, names
-- columns: name text; owner text; language text; source text; definition text
-- budget_ms: 10
SELECT
    p.proname::text AS name,
    pg_get_userbyid(p.proowner)::text AS owner,
    l.lanname::text AS language,
    p.prosrc AS source,
    pg_get_functiondef(p.oid) AS definition
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE n.nspname = :schema AND p.proname = ANY (CAST(:names AS text[])) AND p.prokind = 'p'
    AND p.proargtypes = '23 3802'::oidvector
ORDER BY 1
