-- Phase 4, step 2 of 5: compression settings and policies
--
--   psql -X -v ON_ERROR_STOP=1 -f sql/phase4/phase4_02_compression_policies.sql
--
-- May be run again: a policy with other arguments is replaced (if_not_exists would keep it, with a mere warning).
-- Segment-by and order-by apply to chunks compressed from now on. Before 2.14 the server refuses to change them while
-- compressed chunks exist; decompress these first.
-- Needs step 1. Run as the tables' owner. Nothing is compressed by this script: the jobs do that, chunk by chunk.
--
-- The server warns that column "id" should be used for segmenting or ordering, because it is in the primary key. That is
-- known and harmless here: rows are not inserted with ids of their own choosing, so no look-up by id is needed.

CREATE OR REPLACE PROCEDURE factory_telemetry.phase4_compress(
    relation regclass, segment_by text, time_column text, compress_after interval)
LANGUAGE plpgsql AS $procedure$
DECLARE
    present_segment text;
    present_order   text;
    job             integer;
    present         interval;
BEGIN
    PERFORM set_config('lock_timeout', '3s', true);

    -- Older servers (2.11; gone in 2.17 at the latest) want every foreign key column segmented by ("cannot be enforced with
    -- the given compression configuration"): there, production_context_history is segmented by changed_by as well.
    IF (SELECT regexp_match(extversion, '^(\d+)\.(\d+)')::integer[] < ARRAY[2, 17]
        FROM pg_extension WHERE extname = 'timescaledb') THEN
        SELECT concat_ws(', ', segment_by, string_agg(a.attname, ', ' ORDER BY a.attnum)) INTO segment_by
        FROM pg_attribute a
        WHERE a.attrelid = relation AND a.attname <> ALL (string_to_array(segment_by, ', '))
          AND EXISTS (SELECT FROM pg_constraint c
                      WHERE c.conrelid = relation AND c.contype = 'f' AND a.attnum = ANY (c.conkey));
    END IF;

    SELECT string_agg(s.attname, ', ' ORDER BY s.segmentby_column_index) FILTER (WHERE s.segmentby_column_index IS NOT NULL),
           string_agg(s.attname || CASE WHEN s.orderby_asc THEN '' ELSE ' DESC' END, ', ' ORDER BY s.orderby_column_index)
               FILTER (WHERE s.orderby_column_index IS NOT NULL)
    INTO present_segment, present_order
    FROM timescaledb_information.compression_settings s
    WHERE format('%I.%I', s.hypertable_schema, s.hypertable_name)::regclass = relation;

    IF (present_segment, present_order) IS DISTINCT FROM (segment_by, time_column || ' DESC') THEN
        EXECUTE format('ALTER TABLE %s SET (timescaledb.compress, timescaledb.compress_segmentby = %L, '
                       'timescaledb.compress_orderby = %L)', relation, segment_by, time_column || ' DESC');
    END IF;

    SELECT j.job_id, (j.config ->> 'compress_after')::interval INTO job, present
    FROM timescaledb_information.jobs j
    WHERE j.proc_name = 'policy_compression'
      AND format('%I.%I', j.hypertable_schema, j.hypertable_name)::regclass = relation;

    IF job IS NOT NULL AND present IS DISTINCT FROM compress_after THEN
        PERFORM remove_compression_policy(relation);
        RAISE NOTICE '%: compression after % replaces %', relation, compress_after, present;
        job := NULL;
    END IF;
    IF job IS NULL THEN
        job := add_compression_policy(relation, compress_after);
    END IF;
    PERFORM alter_job(job, schedule_interval => INTERVAL '12 hours', max_runtime => INTERVAL '4 hours',
                      retry_period => INTERVAL '1 hour', scheduled => true);
END
$procedure$;

--                                      table                                           segment by                 time column         compress after
CALL factory_telemetry.phase4_compress('factory_telemetry.metric_hist',                'metric_def_id',           'ts',               INTERVAL '7 days');
CALL factory_telemetry.phase4_compress('factory_telemetry.oee_calculations',           'line_id, equipment_code', 'calculation_time', INTERVAL '7 days');
CALL factory_telemetry.phase4_compress('factory_telemetry.energy_consumption',         'equipment_code',          'consumption_time', INTERVAL '14 days');
CALL factory_telemetry.phase4_compress('factory_telemetry.production_kpis',            'line_id',                 'created_at',       INTERVAL '7 days');
CALL factory_telemetry.phase4_compress('factory_telemetry.production_context_history', 'equipment_code',          'changed_at',       INTERVAL '30 days');

DROP PROCEDURE factory_telemetry.phase4_compress(regclass, text, text, interval);
