-- name: statistics_objects
-- about: The extended statistics on the table.
-- timescaledb: >=2.11
-- params: schema, table
-- columns: schema_name text; name text; definition text; comment text
-- budget_ms: 40
SELECT n.nspname::text AS schema_name, s.stxname::text AS name, pg_get_statisticsobjdef(s.oid) AS definition,
    obj_description(s.oid, 'pg_statistic_ext') AS comment
FROM pg_statistic_ext s
JOIN pg_namespace n ON n.oid = s.stxnamespace
WHERE s.stxrelid = to_regclass(format('%I.%I', CAST(:schema AS text), CAST(:table AS text)))
ORDER BY 1, 2
