-- name: trim_realtime_index
-- about: Takes idx_metric_hist_realtime away from chunks older than config.keep_for, at most config.at_most in one run.

CREATE OR REPLACE PROCEDURE factory_telemetry.trim_realtime_index(job_id integer, config jsonb)
LANGUAGE plpgsql AS $procedure$
DECLARE
    chunk_index text;
BEGIN
    FOREACH chunk_index IN ARRAY ARRAY(
        SELECT own.indexrelid::regclass::text
        FROM pg_index whole
        JOIN timescaledb_information.chunks c
          ON c.hypertable_schema = 'factory_telemetry' AND c.hypertable_name = 'metric_hist'
        JOIN pg_index own
          ON own.indrelid = to_regclass(format('%I.%I', c.chunk_schema, c.chunk_name)) AND own.indpred IS NOT NULL
        JOIN pg_class own_name
          ON own_name.oid = own.indexrelid AND own_name.relname LIKE '%idx\_metric\_hist\_realtime%'
        WHERE whole.indexrelid = to_regclass('factory_telemetry.idx_metric_hist_realtime')
          AND c.range_end < now() - (config ->> 'keep_for')::interval
          AND split_part(substring(pg_get_indexdef(own.indexrelid) FROM ' USING .*'), ' WHERE ', 1)
            = split_part(substring(pg_get_indexdef(whole.indexrelid) FROM ' USING .*'), ' WHERE ', 1)
        ORDER BY c.range_end
        LIMIT (config ->> 'at_most')::integer)
    LOOP
        -- Dropping locks the old chunk for a moment; a chunk in use is left to the next run.
        PERFORM set_config('lock_timeout', '1s', true);
        BEGIN
            -- Retention may have dropped the chunk meanwhile.
            EXECUTE format('DROP INDEX IF EXISTS %s', chunk_index);
        EXCEPTION WHEN lock_not_available THEN
            RAISE WARNING 'trim_realtime_index: % is in use, left to the next run', chunk_index;
        END;
        COMMIT;  -- or the lock of each chunk would be held to the end of the run
    END LOOP;
END
$procedure$;
