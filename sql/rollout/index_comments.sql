-- name: index_comments
-- about: Comments on the indexes of a schema's tables.
-- timescaledb: >=2.11
-- params: schema
-- columns: index_name text; comment text
-- budget_ms: 20
SELECT c.relname::text AS index_name, obj_description(c.oid, 'pg_class') AS comment
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :schema AND c.relkind = 'i' AND obj_description(c.oid, 'pg_class') IS NOT NULL
ORDER BY 1
