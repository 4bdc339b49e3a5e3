-- name: has_column
-- about: Whether a relation (schema.name) has a column of that name.
-- timescaledb: >=2.11
-- params: relation, column
-- columns: there boolean
-- budget_ms: 5
SELECT EXISTS (
    SELECT FROM pg_attribute WHERE attrelid = to_regclass(:relation) AND attname = :column AND NOT attisdropped
) AS there
