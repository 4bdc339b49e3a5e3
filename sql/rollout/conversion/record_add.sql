-- name: record_add
-- about: Begins a conversion.
-- timescaledb: >=2.11
-- params: schema, table, direction, parameters, definition, work_schema, kept_schema, kept_table, rows_total, holder
-- columns: id bigint
-- budget_ms: 10
INSERT INTO ms5ops.conversion (schema_name, table_name, direction, status, step, parameters, definition, work_schema,
    kept_schema, kept_table, rows_total, holder)
VALUES (:schema, :table, :direction, 'running', 'order', CAST(:parameters AS jsonb), CAST(:definition AS jsonb), :work_schema,
    :kept_schema, :kept_table, :rows_total, CAST(:holder AS jsonb))
RETURNING id
