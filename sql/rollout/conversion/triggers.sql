-- name: triggers
-- about: The triggers that users made on the table; enabled: O, D, R or A, as in pg_trigger.
-- timescaledb: >=2.11
-- params: schema, table
-- columns: name text; definition text; head text; on_clause text; enabled text; comment text
-- budget_ms: 40
SELECT
    g.tgname::text AS name,
    pg_get_triggerdef(g.oid) AS definition,
    format('TRIGGER %I ', g.tgname) AS head,
    format(' ON %I.%I ', n.nspname, c.relname) AS on_clause,
    g.tgenabled::text AS enabled,
    obj_description(g.oid, 'pg_trigger') AS comment
FROM pg_trigger g
JOIN pg_class c ON c.oid = g.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_proc p ON p.oid = g.tgfoid
WHERE g.tgrelid = to_regclass(format('%I.%I', CAST(:schema AS text), CAST(:table AS text)))
    AND NOT g.tgisinternal
    AND g.tgname NOT LIKE 'ms5ops\_capture\_%'
    AND p.pronamespace::regnamespace::text NOT LIKE '\_timescaledb\_%'
ORDER BY g.tgname
