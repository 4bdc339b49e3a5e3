-- name: privileges
-- about: What the role may do that a deployment needs, and which of the tables it does not own; no row where it does not exist.
-- timescaledb: >=0.0
-- params: schema, tables, role
-- columns: role text; may_create_schema boolean; may_create_objects boolean; not_owned text[]; not_referable text[]
-- budget_ms: 20
SELECT r.rolname::text AS role,
    has_database_privilege(r.oid, current_database(), 'CREATE') OR EXISTS (
        SELECT FROM pg_namespace WHERE nspname = 'ms5ops' AND pg_has_role(r.oid, nspowner, 'USAGE')
    ) AS may_create_schema,
    coalesce((SELECT has_schema_privilege(r.oid, oid, 'CREATE') FROM pg_namespace WHERE nspname = :schema), false)
        AS may_create_objects,
    ARRAY(
        SELECT c.relname::text FROM pg_class c
        WHERE c.relnamespace = to_regnamespace(:schema) AND c.relname = ANY (:tables)
            AND NOT pg_has_role(r.oid, c.relowner, 'USAGE')
        ORDER BY 1
    ) AS not_owned,
    ARRAY(
        SELECT DISTINCT o.confrelid::regclass::text
        FROM pg_constraint o
        JOIN pg_class c ON c.oid = o.conrelid
        WHERE c.relnamespace = to_regnamespace(:schema) AND c.relname = ANY (:tables) AND o.contype = 'f'
            AND NOT has_table_privilege(r.oid, o.confrelid, 'REFERENCES')
        ORDER BY 1
    ) AS not_referable
FROM pg_roles r
WHERE r.rolname = coalesce(CAST(:role AS text), current_user)
