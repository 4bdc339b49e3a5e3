-- name: relations
-- about: The tables, aggregates and views of the schema: what the questions can be asked of.
-- params: schema
-- columns: name text
-- budget_ms: 50
SELECT c.relname::text AS name
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :schema AND c.relkind IN ('r', 'v', 'm', 'p')
ORDER BY c.relname
