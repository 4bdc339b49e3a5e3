-- name: chunk_state
-- about: Whether a chunk is compressed; no row where it is gone.
-- timescaledb: >=2.11
-- params: chunk
-- columns: is_compressed boolean
-- budget_ms: 200
SELECT is_compressed FROM timescaledb_information.chunks
WHERE format('%I.%I', chunk_schema, chunk_name) = :chunk
