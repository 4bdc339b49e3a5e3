-- name: capabilities
-- about: What the role may do here, and what the server's functions take.
-- timescaledb: >=2.11
-- params: schema
-- columns: may_create boolean; may_make_temporary boolean; reschedules boolean
-- budget_ms: 10
SELECT
    coalesce(has_schema_privilege(to_regnamespace(:schema)::oid, 'CREATE'), false) AS may_create,
    has_database_privilege(current_database(), 'TEMPORARY') AS may_make_temporary,
    EXISTS (SELECT FROM pg_proc p WHERE p.proname = 'alter_job' AND 'fixed_schedule' = ANY (p.proargnames)) AS reschedules
