-- name: server
-- about: What the conversion has to know of the server; schema_name is where the extension's functions are.
-- timescaledb: >=2.11
-- columns: version_num int; timescaledb text; schema_name text; embedded boolean; role text
-- budget_ms: 10
SELECT
    current_setting('server_version_num')::int AS version_num,
    e.extversion::text AS timescaledb,
    n.nspname::text AS schema_name,
    version() ILIKE '%emscripten%' AS embedded,
    current_user::text AS role
FROM pg_extension e
JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'timescaledb'
