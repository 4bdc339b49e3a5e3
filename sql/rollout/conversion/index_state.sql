-- name: index_state
-- about: An index by name: whether it is valid, on the table and on every chunk; no row where there is none.
-- timescaledb: >=2.11
-- params: schema, index
-- columns: valid boolean
-- budget_ms: 40
SELECT x.indisvalid AND NOT EXISTS (
    SELECT FROM pg_inherits i
    WHERE i.inhparent = x.indrelid
        AND (SELECT count(*) FROM pg_index y WHERE y.indrelid = i.inhrelid AND y.indisvalid)
            < (SELECT count(*) FROM pg_index y WHERE y.indrelid = x.indrelid AND y.indisvalid)
) AS valid
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_namespace n ON n.oid = i.relnamespace
WHERE n.nspname = :schema AND i.relname = :index
