-- name: record_lock
-- about: One conversion, locked for the transaction; no row where another process is at work on it by now.
-- timescaledb: >=2.11
-- params: id, token
-- columns: id bigint; schema_name text; table_name text; direction text; status text; step text; parameters json; definition json; work_schema text; kept_schema text; kept_table text; order_index text; position json; compared_until text; rows_total rows; rows_copied rows; rows_caught_up rows; rows_compared rows; checksum numeric; blocked_ms ms; holder json; silent_seconds s; finished_at timestamptz; kept_dropped_at timestamptz
-- budget_ms: 10
SELECT id, schema_name, table_name, direction, status, step, parameters, definition, work_schema, kept_schema, kept_table, order_index, position, compared_until, rows_total, rows_copied, rows_caught_up, rows_compared, checksum, blocked_ms, holder, extract(epoch FROM clock_timestamp() - heartbeat)::float8 AS silent_seconds, finished_at, kept_dropped_at
FROM ms5ops.conversion
WHERE id = :id AND holder ->> 'token' = :token
FOR UPDATE
