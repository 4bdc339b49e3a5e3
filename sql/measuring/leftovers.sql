-- name: leftovers
-- about: The tables in the schema of benchmarks, with the comment that tells whose they are.
-- params: schema
-- columns: name text; comment text
-- budget_ms: 50
SELECT c.relname::text AS name, obj_description(c.oid, 'pg_class') AS comment
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :schema AND c.relkind = 'r'
ORDER BY c.relname
