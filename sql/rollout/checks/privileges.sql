-- name: privileges
-- about: What the role may do that a deployment needs, and which of the tables it does not own.
-- timescaledb: >=0.0
-- params: schema, tables
-- columns: may_create_schema boolean; may_create_objects boolean; not_owned text[]
-- budget_ms: 20
SELECT has_database_privilege(current_database(), 'CREATE') OR EXISTS (
        SELECT FROM pg_namespace WHERE nspname = 'ms5ops' AND pg_has_role(current_user, nspowner, 'USAGE')
    ) AS may_create_schema,
    coalesce((SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = :schema), false)
        AS may_create_objects,
    ARRAY(
        SELECT c.relname::text FROM pg_class c
        WHERE c.relnamespace = to_regnamespace(:schema) AND c.relname = ANY (:tables)
            AND NOT pg_has_role(current_user, c.relowner, 'USAGE')
        ORDER BY 1
    ) AS not_owned
