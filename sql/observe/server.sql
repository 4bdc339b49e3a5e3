-- name: server
-- about: What the server is, whether the extension is there, and what the role may see.
-- timescaledb: >=0.0
-- columns: postgres_version_number int; extension_version text; license text; statements_version text; statements_schema text; in_recovery boolean; read_at timestamptz; started_at timestamptz; role text; database_name text; is_superuser boolean; may_read_all_statistics boolean; may_read_all_settings boolean; owns_database boolean
-- budget_ms: 20
SELECT
    current_setting('server_version_num')::int AS postgres_version_number,
    (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS extension_version,
    current_setting('timescaledb.license', true) AS license,
    (SELECT extversion FROM pg_extension WHERE extname = 'pg_stat_statements') AS statements_version,
    (
        SELECT n.nspname::text
        FROM pg_extension e
        JOIN pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = 'pg_stat_statements'
    ) AS statements_schema,
    pg_is_in_recovery() AS in_recovery,
    clock_timestamp() AS read_at,
    pg_postmaster_start_time() AS started_at,
    current_user::text AS role,
    current_database()::text AS database_name,
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser,
    pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS may_read_all_statistics,
    pg_has_role(current_user, 'pg_read_all_settings', 'USAGE') AS may_read_all_settings,
    pg_has_role(current_user, (SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE')
        AS owns_database
