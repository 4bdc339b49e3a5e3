-- name: shape
-- about: What makes a table cost at insert besides its columns: indexes and foreign keys as SQL.
-- params: relation
-- columns: kind text; definition text
-- budget_ms: 50
SELECT 'index' AS kind, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index i
WHERE i.indrelid = CAST(CAST(:relation AS text) AS regclass) AND i.indisvalid
UNION ALL
SELECT 'foreign key', pg_get_constraintdef(c.oid)
FROM pg_constraint c
WHERE c.conrelid = CAST(CAST(:relation AS text) AS regclass) AND c.contype = 'f'
ORDER BY kind, definition
