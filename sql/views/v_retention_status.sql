-- name: v_retention_status
-- about: One row per hypertable of MS5.0. Sizes: uncompressed chunks as they are now, compressed ones as recorded when they were compressed (reading each live costs a second or more with thousands of chunks). Times are NULL before the first run.

WITH retention AS (
    SELECT j.hypertable_schema, j.hypertable_name, j.job_id, (j.config ->> 'drop_after')::interval AS retention_period,
           j.scheduled, j.next_start, s.last_run_started_at, s.last_successful_finish, s.last_run_status
    FROM timescaledb_information.jobs j
    LEFT JOIN timescaledb_information.job_stats s USING (job_id)
    WHERE j.proc_name = 'policy_retention'
), compressed AS (
    SELECT h.hypertable_schema, h.hypertable_name, sum(c.after_compression_total_bytes) AS size_bytes
    FROM timescaledb_information.hypertables h
    CROSS JOIN LATERAL chunk_compression_stats(format('%I.%I', h.hypertable_schema, h.hypertable_name)::regclass) c
    WHERE h.hypertable_schema = 'factory_telemetry' AND h.compression_enabled
    GROUP BY 1, 2
)
SELECT h.hypertable_schema AS schema_name,
       h.hypertable_name,
       r.job_id,
       r.retention_period,
       r.scheduled,
       r.next_start                                                        AS next_run,
       -- A job that has not run yet shows -infinity.
       nullif(r.last_run_started_at, '-infinity'::timestamptz)             AS last_run,
       nullif(r.last_successful_finish, '-infinity'::timestamptz)          AS last_successful_run,
       r.last_run_status,
       count(c.chunk_name)                                                 AS total_chunks,
       count(*) FILTER (WHERE c.is_compressed)                             AS compressed_chunks,
       count(*) FILTER (WHERE c.range_end <= now() - r.retention_period)   AS chunks_eligible_for_drop,
       min(c.range_start)                                                  AS oldest_chunk_start,
       (coalesce(sum(pg_total_relation_size(to_regclass(format('%I.%I', c.chunk_schema, c.chunk_name))))
                 FILTER (WHERE NOT c.is_compressed), 0) + coalesce(max(z.size_bytes), 0))::bigint AS size_bytes
FROM timescaledb_information.hypertables h
LEFT JOIN timescaledb_information.chunks c USING (hypertable_schema, hypertable_name)
LEFT JOIN retention r USING (hypertable_schema, hypertable_name)
LEFT JOIN compressed z USING (hypertable_schema, hypertable_name)
WHERE h.hypertable_schema = 'factory_telemetry'
GROUP BY h.hypertable_schema, h.hypertable_name, r.job_id, r.retention_period, r.scheduled, r.next_start,
         r.last_run_started_at, r.last_successful_finish, r.last_run_status;
