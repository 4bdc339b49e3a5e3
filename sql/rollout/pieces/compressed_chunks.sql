-- name: compressed_chunks
-- about: Compressed chunks of a hypertable, newest first, with what decompressing each would add to the disk (as stored when it was compressed).
-- timescaledb: >=2.11
-- params: schema, table
-- columns: chunk text; range_start timestamptz; extra_bytes bytes
-- budget_ms: 300
SELECT format('%I.%I', c.chunk_schema, c.chunk_name) AS chunk, c.range_start,
    greatest(coalesce(s.before_compression_total_bytes - s.after_compression_total_bytes, 0), 0)::bigint AS extra_bytes
FROM timescaledb_information.chunks c
LEFT JOIN chunk_compression_stats(format('%I.%I', CAST(:schema AS text), CAST(:table AS text))::regclass) s
    ON s.chunk_schema = c.chunk_schema AND s.chunk_name = c.chunk_name
WHERE c.hypertable_schema = :schema AND c.hypertable_name = :table AND c.is_compressed
ORDER BY c.range_end DESC
