-- name: indexes
-- about: The indexes of the table, without those that a conversion makes for itself. leads: its first column.
-- timescaledb: >=2.11
-- params: schema, table
-- columns: name text; definition text; head text; on_clause text; of_constraint boolean; valid boolean; clustered boolean; comment text; leads text; btree boolean; partial boolean
-- budget_ms: 40
SELECT
    i.relname::text AS name,
    pg_get_indexdef(x.indexrelid) AS definition,
    format('CREATE %sINDEX %I', CASE WHEN x.indisunique THEN 'UNIQUE ' ELSE '' END, i.relname) AS head,
    format(' ON %I.%I ', n.nspname, c.relname) AS on_clause,
    EXISTS (SELECT FROM pg_constraint o WHERE o.conindid = x.indexrelid AND o.conrelid = x.indrelid) AS of_constraint,
    x.indisvalid AS valid,
    x.indisclustered AS clustered,
    obj_description(i.oid, 'pg_class') AS comment,
    (SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = x.indrelid AND a.attnum = x.indkey[0]) AS leads,
    m.amname = 'btree' AS btree,
    x.indpred IS NOT NULL AS partial
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_am m ON m.oid = i.relam
JOIN pg_class c ON c.oid = x.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE x.indrelid = to_regclass(format('%I.%I', CAST(:schema AS text), CAST(:table AS text)))
    AND i.relname NOT LIKE 'ms5ops\_order\_%'
ORDER BY i.relname
