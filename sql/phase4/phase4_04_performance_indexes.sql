-- Phase 4, step 4 of 5: indexes for the questions that dashboards ask, and the view that shows which are used
--
--   psql -X -v ON_ERROR_STOP=1 -f sql/phase4/phase4_04_performance_indexes.sql
--
-- Outside a transaction: WITH (timescaledb.transaction_per_chunk) builds chunk by chunk and holds up writers to one chunk at
-- a time (CONCURRENTLY is refused on hypertables). A build that was cut off leaves an invalid index, which IF NOT EXISTS
-- would take for a finished one: such are dropped first. May be run again. Needs step 1. Run as the tables' owner.
--
-- Every index counts once per chunk, in disk, in insert time and in locks: metric_hist has 2,160 chunks in 90 days, so it
-- gets three and no more.

DO $block$
DECLARE
    broken regclass;
BEGIN
    FOR broken IN
        SELECT i.indexrelid::regclass
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'factory_telemetry' AND c.relname LIKE 'idx\_%' AND NOT i.indisvalid
    LOOP
        RAISE NOTICE 'dropping % : an earlier build did not finish', broken;
        EXECUTE format('DROP INDEX %s', broken);
    END LOOP;
END
$block$;

-- metric_hist ---------------------------------------------------------------------------------------------------------

-- One metric over time, newest first, from the index alone for numbers and booleans.
CREATE INDEX IF NOT EXISTS idx_metric_hist_metric_ts_desc
    ON factory_telemetry.metric_hist (metric_def_id, ts DESC) INCLUDE (value_real, value_int, value_bool)
    WITH (timescaledb.transaction_per_chunk);

-- All metrics of a span of time; a few kB per chunk, as rows arrive nearly in order.
CREATE INDEX IF NOT EXISTS idx_metric_hist_ts_brin
    ON factory_telemetry.metric_hist USING brin (ts)
    WITH (timescaledb.transaction_per_chunk);

-- What is new on all metrics, for real-time screens. NOW() cannot stand in an index predicate (it is not IMMUTABLE): the
-- cut-off is written out as a literal, 24 hours ago. Chunks before it get an empty index, new chunks a full one, and the job
-- below takes the index away from chunks that have grown older than 24 hours. So the window moves forward without ever
-- rebuilding, which would scan a week of rows and hold up every writer.
SELECT format('CREATE INDEX IF NOT EXISTS idx_metric_hist_realtime '
              'ON factory_telemetry.metric_hist (ts DESC, metric_def_id) '
              'WITH (timescaledb.transaction_per_chunk) WHERE ts >= %L::timestamptz',
              date_trunc('hour', now()) - INTERVAL '24 hours')
\gexec

COMMENT ON INDEX factory_telemetry.idx_metric_hist_realtime IS
    'On chunks of the last 24 hours only: factory_telemetry.trim_realtime_index takes it away from older ones';

CREATE OR REPLACE PROCEDURE factory_telemetry.trim_realtime_index(job_id integer, config jsonb)
LANGUAGE plpgsql AS $procedure$
DECLARE
    chunk_index regclass;
BEGIN
    -- Dropping locks the old chunk for a moment; a chunk in use is left to the next run.
    PERFORM set_config('lock_timeout', '1s', true);
    FOR chunk_index IN
        SELECT own.indexrelid::regclass
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
        LIMIT (config ->> 'at_most')::integer
    LOOP
        BEGIN
            EXECUTE format('DROP INDEX %s', chunk_index);
        EXCEPTION WHEN lock_not_available THEN
            RAISE WARNING 'trim_realtime_index: % is in use, left to the next run', chunk_index;
        END;
    END LOOP;
END
$procedure$;

SELECT add_job('factory_telemetry.trim_realtime_index', INTERVAL '1 hour',
               config => '{"keep_for": "24 hours", "at_most": 200}')
WHERE NOT EXISTS (SELECT FROM timescaledb_information.jobs
                  WHERE proc_schema = 'factory_telemetry' AND proc_name = 'trim_realtime_index');

-- ix_metric_hist_def_ts, which MS5.0 came with, has the same key as idx_metric_hist_metric_ts_desc and becomes superfluous.
-- Watch it in v_index_usage for a week, then:
--   DROP INDEX factory_telemetry.ix_metric_hist_def_ts;

-- oee_calculations ----------------------------------------------------------------------------------------------------

CREATE INDEX IF NOT EXISTS idx_oee_line_equipment_time_desc
    ON factory_telemetry.oee_calculations (line_id, equipment_code, calculation_time DESC)
    INCLUDE (oee, availability, performance, quality)
    WITH (timescaledb.transaction_per_chunk);

CREATE INDEX IF NOT EXISTS idx_oee_equipment_time_desc
    ON factory_telemetry.oee_calculations (equipment_code, calculation_time DESC) INCLUDE (oee, good_parts, total_parts)
    WITH (timescaledb.transaction_per_chunk);

-- Where did OEE fall short? 0.80 is the threshold that the dashboards use.
CREATE INDEX IF NOT EXISTS idx_oee_below_target
    ON factory_telemetry.oee_calculations (calculation_time DESC, equipment_code) INCLUDE (oee)
    WITH (timescaledb.transaction_per_chunk) WHERE oee < 0.80;

-- energy_consumption --------------------------------------------------------------------------------------------------

CREATE INDEX IF NOT EXISTS idx_energy_equipment_time_desc
    ON factory_telemetry.energy_consumption (equipment_code, consumption_time DESC)
    INCLUDE (power_consumption_kw, energy_consumption_kwh, power_factor)
    WITH (timescaledb.transaction_per_chunk);

-- Peak demand: above 30 kW on one meter. Set it to the contract's limit.
CREATE INDEX IF NOT EXISTS idx_energy_high_demand
    ON factory_telemetry.energy_consumption (consumption_time DESC, equipment_code) INCLUDE (power_consumption_kw)
    WITH (timescaledb.transaction_per_chunk) WHERE power_consumption_kw > 30;

-- Reactive power: below 0.80 suppliers commonly charge for it.
CREATE INDEX IF NOT EXISTS idx_energy_low_power_factor
    ON factory_telemetry.energy_consumption (consumption_time DESC, equipment_code) INCLUDE (power_factor)
    WITH (timescaledb.transaction_per_chunk) WHERE power_factor < 0.80;

-- production_kpis -----------------------------------------------------------------------------------------------------

CREATE INDEX IF NOT EXISTS idx_kpis_line_created_desc
    ON factory_telemetry.production_kpis (line_id, created_at DESC) INCLUDE (oee, total_production, good_parts)
    WITH (timescaledb.transaction_per_chunk);

CREATE INDEX IF NOT EXISTS idx_kpis_line_date_shift
    ON factory_telemetry.production_kpis (line_id, kpi_date DESC, shift_id)
    WITH (timescaledb.transaction_per_chunk);

CREATE INDEX IF NOT EXISTS idx_kpis_below_target
    ON factory_telemetry.production_kpis (created_at DESC, line_id) INCLUDE (oee)
    WITH (timescaledb.transaction_per_chunk) WHERE oee < 0.80;

-- production_context_history ------------------------------------------------------------------------------------------

CREATE INDEX IF NOT EXISTS idx_context_equipment_changed_desc
    ON factory_telemetry.production_context_history (equipment_code, changed_at DESC) INCLUDE (change_reason)
    WITH (timescaledb.transaction_per_chunk);

-- Who changed what; most changes are made by the system and have no user.
CREATE INDEX IF NOT EXISTS idx_context_user_changed_desc
    ON factory_telemetry.production_context_history (changed_by, changed_at DESC)
    WITH (timescaledb.transaction_per_chunk) WHERE changed_by IS NOT NULL;

CREATE INDEX IF NOT EXISTS idx_context_reason_changed_desc
    ON factory_telemetry.production_context_history (change_reason, changed_at DESC) INCLUDE (equipment_code)
    WITH (timescaledb.transaction_per_chunk);

-- Autovacuum ----------------------------------------------------------------------------------------------------------
-- Settings on a hypertable reach its chunks. Statistics age fastest on metric_hist.

ALTER TABLE factory_telemetry.metric_hist
    SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE factory_telemetry.oee_calculations
    SET (autovacuum_vacuum_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE factory_telemetry.energy_consumption
    SET (autovacuum_vacuum_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE factory_telemetry.production_kpis
    SET (autovacuum_vacuum_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE factory_telemetry.production_context_history
    SET (autovacuum_vacuum_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05);

-- Index usage ---------------------------------------------------------------------------------------------------------

DROP VIEW IF EXISTS factory_telemetry.v_index_usage;

-- One row per index of the schema's tables and hypertables. An index of a hypertable is itself always empty: what is read and
-- stored is in the indexes of its chunks, which are summed here. A chunk's index belongs to the hypertable's index with the
-- same method and columns (predicates are spelt differently: (0.80)::float8 on the one, '0.8'::float8 on the other); where
-- several fit, the longest name that it carries decides.
-- Counts are since the statistics were last reset, and leave out chunks that have been dropped. Indexes of compressed data
-- are not counted.
CREATE VIEW factory_telemetry.v_index_usage AS
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

COMMENT ON VIEW factory_telemetry.v_index_usage IS
    'Index usage summed over chunks since the statistics were last reset: UNUSED 0 scans, LOW under 100, MODERATE under 1000';
