-- name: v_index_usage
-- about: One row per index of the schema's tables and hypertables, summed over the indexes of chunks, where all is read and stored. Counts are since the statistics were last reset, and leave out dropped chunks and indexes of compressed data.

-- A chunk's index belongs to the hypertable's index with the same method and columns (predicates are spelt differently:
-- (0.80)::float8 on the one, '0.8'::float8 on the other); where several fit, the longest name that it carries decides.
WITH whole AS (
    SELECT i.indexrelid, i.indrelid, i.indisunique, c.relname AS index_name, t.relname AS table_name,
           i.indpred IS NULL AS is_whole,
           split_part(substring(pg_get_indexdef(i.indexrelid) FROM ' USING .*'), ' WHERE ', 1) AS definition
    FROM pg_class t
    JOIN pg_index i ON i.indrelid = t.oid
    JOIN pg_class c ON c.oid = i.indexrelid
    WHERE t.relnamespace = 'factory_telemetry'::regnamespace AND t.relkind = 'r'
), chunk_index AS (
    SELECT DISTINCT ON (i.indexrelid) i.indexrelid, w.indexrelid AS belongs_to
    FROM pg_inherits h
    JOIN pg_index i ON i.indrelid = h.inhrelid
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN whole w ON w.indrelid = h.inhparent AND w.indisunique = i.indisunique AND w.is_whole = (i.indpred IS NULL)
                AND w.definition = split_part(substring(pg_get_indexdef(i.indexrelid) FROM ' USING .*'), ' WHERE ', 1)
    ORDER BY i.indexrelid, position(w.index_name IN c.relname) > 0 DESC, length(w.index_name) DESC
), member AS (
    SELECT indexrelid AS belongs_to, indexrelid, 0 AS of_chunk FROM whole
    UNION ALL
    SELECT belongs_to, indexrelid, 1 FROM chunk_index
), usage AS (
    SELECT m.belongs_to,
           sum(m.of_chunk)                                    AS chunk_indexes,
           sum(pg_stat_get_numscans(m.indexrelid))::bigint    AS index_scans,
           sum(pg_stat_get_tuples_returned(m.indexrelid))::bigint AS tuples_read,
           sum(pg_stat_get_tuples_fetched(m.indexrelid))::bigint  AS tuples_fetched,
           sum(pg_relation_size(m.indexrelid))::bigint        AS size_bytes
    FROM member m
    GROUP BY m.belongs_to
)
SELECT 'factory_telemetry'::name AS schema_name,
       w.table_name,
       w.index_name,
       w.indisunique             AS is_unique,
       u.chunk_indexes,
       u.index_scans,
       u.tuples_read,
       u.tuples_fetched,
       u.size_bytes,
       CASE WHEN u.index_scans = 0 THEN 'UNUSED'
            WHEN u.index_scans < 100 THEN 'LOW USAGE'
            WHEN u.index_scans < 1000 THEN 'MODERATE USAGE'
            ELSE 'HIGH USAGE' END AS usage_category
FROM whole w
JOIN usage u ON u.belongs_to = w.indexrelid;
