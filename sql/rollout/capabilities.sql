-- name: capabilities
-- about: What the role may do here, and what the server's functions take. role: who will deploy, null for the present one.
-- timescaledb: >=2.11
-- params: schema, role
-- columns: may_create boolean; may_make_temporary boolean; owns_database boolean; reschedules boolean
-- budget_ms: 10
SELECT
    coalesce(has_schema_privilege(to_regnamespace(:schema)::oid, 'CREATE'), false) AS may_create,
    has_database_privilege(current_database(), 'TEMPORARY') AS may_make_temporary,
    EXISTS (
        SELECT FROM pg_roles r, pg_database d
        WHERE r.rolname = coalesce(CAST(:role AS text), current_user) AND d.datname = current_database()
            AND (r.rolsuper OR pg_has_role(r.oid, d.datdba, 'USAGE'))
    ) AS owns_database,
    EXISTS (SELECT FROM pg_proc p WHERE p.proname = 'alter_job' AND 'fixed_schedule' = ANY (p.proargnames)) AS reschedules
