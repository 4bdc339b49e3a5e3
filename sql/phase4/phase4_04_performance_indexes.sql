-- Phase 4, step 4 of 5: Indexes
--
--   psql -X -f sql/phase4/phase4_04_performance_indexes.sql
--
-- Made by `make scripts` from ms5ops/policy/default.toml and the files it names: change those, not this one.
--
-- For the five tables as most installations have them: plain, with PRIMARY KEY (id), with rows or without. Run the five
-- steps in order, once, as the tables' owner, in the maintenance window. TimescaleDB 2.11 or later: where versions or
-- servers differ, the script finds out.
--
-- It ends at the first error; what was committed by then stays. For the rest then, and for a database in any other
-- state, `python -m ms5ops plan --sql` writes the script that fits. `python -m ms5ops plan` says afterwards whether
-- anything is missing.
--
-- WITH (timescaledb.transaction_per_chunk) builds chunk by chunk and holds up the writers of one chunk at a time,
-- outside a transaction (CONCURRENTLY is refused on hypertables). A build that is cut off leaves an invalid index: drop
-- it first.
--
-- Every index counts once per chunk, in disk, in insert time and in locks: metric_hist has 2,160 chunks in 90 days, so
-- it gets three and no more. ix_metric_hist_def_ts, which MS5.0 came with, has the same key as
-- idx_metric_hist_metric_ts_desc and becomes superfluous. Watch it in v_index_usage for a week, then:
--
--   DROP INDEX factory_telemetry.ix_metric_hist_def_ts;
--
-- idx_metric_hist_realtime begins at a literal instant, as now() cannot stand in an index predicate. Older chunks get
-- an empty index, new chunks a full one, and a job takes it away from chunks that have left the window: so the window
-- moves without the index ever being built anew.

\set ON_ERROR_STOP on
SET timezone = 'UTC';
-- Give up rather than queue behind a long query, with every later query queueing behind us.
SET lock_timeout = '3s';
SET client_min_messages = warning;

-- 04.idx_metric_hist_metric_ts_desc.index -----------------------------------------------------------------------------
-- Create idx_metric_hist_metric_ts_desc: One metric over time, newest first, from the index alone for numbers and
--   booleans.
-- Lock: SHARE on each chunk of factory_telemetry.metric_hist in turn, for the build on that chunk; other chunks take
--   writes.
-- Undo: DROP INDEX IF EXISTS factory_telemetry.idx_metric_hist_metric_ts_desc;
\echo 'Create idx_metric_hist_metric_ts_desc'
CREATE INDEX idx_metric_hist_metric_ts_desc ON factory_telemetry.metric_hist USING btree (metric_def_id, ts DESC)
    INCLUDE (value_real, value_int, value_bool) WITH (timescaledb.transaction_per_chunk);

-- 04.idx_metric_hist_ts_brin.index ------------------------------------------------------------------------------------
-- Create idx_metric_hist_ts_brin: All metrics of a span of time; a few kB per chunk, as rows arrive nearly in order.
-- Lock: SHARE on each chunk of factory_telemetry.metric_hist in turn, for the build on that chunk; other chunks take
--   writes.
-- Undo: DROP INDEX IF EXISTS factory_telemetry.idx_metric_hist_ts_brin;
\echo 'Create idx_metric_hist_ts_brin'
CREATE INDEX idx_metric_hist_ts_brin ON factory_telemetry.metric_hist USING brin (ts)
    WITH (timescaledb.transaction_per_chunk);

-- 04.idx_metric_hist_realtime.index -----------------------------------------------------------------------------------
-- Create idx_metric_hist_realtime: What is new on all metrics, for real-time screens.
-- Lock: SHARE on each chunk of factory_telemetry.metric_hist in turn, for the build on that chunk; other chunks take
--   writes.
-- Undo: DROP INDEX IF EXISTS factory_telemetry.idx_metric_hist_realtime;
\echo 'Create idx_metric_hist_realtime'
SELECT format(
    'CREATE INDEX idx_metric_hist_realtime ON factory_telemetry.metric_hist USING btree (ts DESC, metric_def_id) '
    'WITH (timescaledb.transaction_per_chunk) WHERE ts >= %L::timestamptz ',
    date_trunc('hour', now(), 'UTC') - INTERVAL '1 day')
\gexec
COMMENT ON INDEX factory_telemetry.idx_metric_hist_realtime IS
    'On chunks of the last 24 hours only: factory_telemetry.trim_realtime_index takes it away from older ones';

-- 04.idx_oee_line_equipment_time_desc.index ---------------------------------------------------------------------------
-- Create idx_oee_line_equipment_time_desc: OEE of one machine of a line over time.
-- Lock: SHARE on each chunk of factory_telemetry.oee_calculations in turn, for the build on that chunk; other chunks
--   take writes.
-- Undo: DROP INDEX IF EXISTS factory_telemetry.idx_oee_line_equipment_time_desc;
\echo 'Create idx_oee_line_equipment_time_desc'
CREATE INDEX idx_oee_line_equipment_time_desc ON factory_telemetry.oee_calculations USING btree (line_id,
    equipment_code, calculation_time DESC) INCLUDE (oee, availability, performance, quality)
    WITH (timescaledb.transaction_per_chunk);

-- 04.idx_oee_equipment_time_desc.index --------------------------------------------------------------------------------
-- Create idx_oee_equipment_time_desc: OEE and parts of one machine, whatever its line.
-- Lock: SHARE on each chunk of factory_telemetry.oee_calculations in turn, for the build on that chunk; other chunks
--   take writes.
-- Undo: DROP INDEX IF EXISTS factory_telemetry.idx_oee_equipment_time_desc;
\echo 'Create idx_oee_equipment_time_desc'
CREATE INDEX idx_oee_equipment_time_desc ON factory_telemetry.oee_calculations USING btree (equipment_code,
    calculation_time DESC) INCLUDE (oee, good_parts, total_parts) WITH (timescaledb.transaction_per_chunk);

-- 04.idx_oee_below_target.index ---------------------------------------------------------------------------------------
-- Create idx_oee_below_target: Where did OEE fall short? 0.80 is the threshold that the dashboards use.
-- Lock: SHARE on each chunk of factory_telemetry.oee_calculations in turn, for the build on that chunk; other chunks
--   take writes.
-- Undo: DROP INDEX IF EXISTS factory_telemetry.idx_oee_below_target;
\echo 'Create idx_oee_below_target'
CREATE INDEX idx_oee_below_target ON factory_telemetry.oee_calculations USING btree (calculation_time DESC,
    equipment_code) INCLUDE (oee) WITH (timescaledb.transaction_per_chunk) WHERE oee < 0.80;

-- 04.idx_energy_equipment_time_desc.index -----------------------------------------------------------------------------
-- Create idx_energy_equipment_time_desc: One meter over time.
-- Lock: SHARE on each chunk of factory_telemetry.energy_consumption in turn, for the build on that chunk; other chunks
--   take writes.
-- Undo: DROP INDEX IF EXISTS factory_telemetry.idx_energy_equipment_time_desc;
\echo 'Create idx_energy_equipment_time_desc'
CREATE INDEX idx_energy_equipment_time_desc ON factory_telemetry.energy_consumption USING btree (equipment_code,
    consumption_time DESC) INCLUDE (power_consumption_kw, energy_consumption_kwh, power_factor)
    WITH (timescaledb.transaction_per_chunk);

-- 04.idx_energy_high_demand.index -------------------------------------------------------------------------------------
-- Create idx_energy_high_demand: Peak demand: above 30 kW on one meter. Set it to the contract's limit.
-- Lock: SHARE on each chunk of factory_telemetry.energy_consumption in turn, for the build on that chunk; other chunks
--   take writes.
-- Undo: DROP INDEX IF EXISTS factory_telemetry.idx_energy_high_demand;
\echo 'Create idx_energy_high_demand'
CREATE INDEX idx_energy_high_demand ON factory_telemetry.energy_consumption USING btree (consumption_time DESC,
    equipment_code) INCLUDE (power_consumption_kw) WITH (timescaledb.transaction_per_chunk)
    WHERE power_consumption_kw > 30;

-- 04.idx_energy_low_power_factor.index --------------------------------------------------------------------------------
-- Create idx_energy_low_power_factor: Reactive power: below 0.80 suppliers commonly charge for it.
-- Lock: SHARE on each chunk of factory_telemetry.energy_consumption in turn, for the build on that chunk; other chunks
--   take writes.
-- Undo: DROP INDEX IF EXISTS factory_telemetry.idx_energy_low_power_factor;
\echo 'Create idx_energy_low_power_factor'
CREATE INDEX idx_energy_low_power_factor ON factory_telemetry.energy_consumption
    USING btree (consumption_time DESC, equipment_code) INCLUDE (power_factor) WITH (timescaledb.transaction_per_chunk)
    WHERE power_factor < 0.80;

-- 04.idx_kpis_line_created_desc.index ---------------------------------------------------------------------------------
-- Create idx_kpis_line_created_desc: One line over time.
-- Lock: SHARE on each chunk of factory_telemetry.production_kpis in turn, for the build on that chunk; other chunks
--   take writes.
-- Undo: DROP INDEX IF EXISTS factory_telemetry.idx_kpis_line_created_desc;
\echo 'Create idx_kpis_line_created_desc'
CREATE INDEX idx_kpis_line_created_desc ON factory_telemetry.production_kpis USING btree (line_id, created_at DESC)
    INCLUDE (oee, total_production, good_parts) WITH (timescaledb.transaction_per_chunk);

-- 04.idx_kpis_line_date_shift.index -----------------------------------------------------------------------------------
-- Create idx_kpis_line_date_shift: One shift of one line.
-- Lock: SHARE on each chunk of factory_telemetry.production_kpis in turn, for the build on that chunk; other chunks
--   take writes.
-- Undo: DROP INDEX IF EXISTS factory_telemetry.idx_kpis_line_date_shift;
\echo 'Create idx_kpis_line_date_shift'
CREATE INDEX idx_kpis_line_date_shift ON factory_telemetry.production_kpis USING btree (line_id, kpi_date DESC,
    shift_id) WITH (timescaledb.transaction_per_chunk);

-- 04.idx_kpis_below_target.index --------------------------------------------------------------------------------------
-- Create idx_kpis_below_target: Shifts and days in which a line fell short.
-- Lock: SHARE on each chunk of factory_telemetry.production_kpis in turn, for the build on that chunk; other chunks
--   take writes.
-- Undo: DROP INDEX IF EXISTS factory_telemetry.idx_kpis_below_target;
\echo 'Create idx_kpis_below_target'
CREATE INDEX idx_kpis_below_target ON factory_telemetry.production_kpis USING btree (created_at DESC, line_id)
    INCLUDE (oee) WITH (timescaledb.transaction_per_chunk) WHERE oee < 0.80;

-- 04.idx_context_equipment_changed_desc.index -------------------------------------------------------------------------
-- Create idx_context_equipment_changed_desc: What happened to one machine.
-- Lock: SHARE on each chunk of factory_telemetry.production_context_history in turn, for the build on that chunk; other
--   chunks take writes.
-- Undo: DROP INDEX IF EXISTS factory_telemetry.idx_context_equipment_changed_desc;
\echo 'Create idx_context_equipment_changed_desc'
CREATE INDEX idx_context_equipment_changed_desc ON factory_telemetry.production_context_history
    USING btree (equipment_code, changed_at DESC) INCLUDE (change_reason) WITH (timescaledb.transaction_per_chunk);

-- 04.idx_context_user_changed_desc.index ------------------------------------------------------------------------------
-- Create idx_context_user_changed_desc: Who changed what; most changes are made by the system and have no user.
-- Lock: SHARE on each chunk of factory_telemetry.production_context_history in turn, for the build on that chunk; other
--   chunks take writes.
-- Undo: DROP INDEX IF EXISTS factory_telemetry.idx_context_user_changed_desc;
\echo 'Create idx_context_user_changed_desc'
CREATE INDEX idx_context_user_changed_desc ON factory_telemetry.production_context_history USING btree (changed_by,
    changed_at DESC) WITH (timescaledb.transaction_per_chunk) WHERE changed_by IS NOT NULL;

-- 04.idx_context_reason_changed_desc.index ----------------------------------------------------------------------------
-- Create idx_context_reason_changed_desc: Changes of one kind, on which machines.
-- Lock: SHARE on each chunk of factory_telemetry.production_context_history in turn, for the build on that chunk; other
--   chunks take writes.
-- Undo: DROP INDEX IF EXISTS factory_telemetry.idx_context_reason_changed_desc;
\echo 'Create idx_context_reason_changed_desc'
CREATE INDEX idx_context_reason_changed_desc ON factory_telemetry.production_context_history
    USING btree (change_reason, changed_at DESC) INCLUDE (equipment_code) WITH (timescaledb.transaction_per_chunk);

-- 04.trim_realtime_index.procedure ------------------------------------------------------------------------------------
-- Create the procedure trim_realtime_index
-- Takes idx_metric_hist_realtime away from chunks older than config.keep_for, at most config.at_most in one run.
-- Lock: ROW EXCLUSIVE on the catalogue of functions, for a moment.
-- Undo: DROP PROCEDURE factory_telemetry.trim_realtime_index(integer, jsonb);
\echo 'Create the procedure trim_realtime_index'
BEGIN;
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
COMMIT;

-- 04.trim_realtime_index.job ------------------------------------------------------------------------------------------
-- Run trim_realtime_index every 1 hour
-- keep_for 24 hours, at_most 200, every 1 hour
-- Lock: ROW EXCLUSIVE on TimescaleDB's table of jobs, for a moment.
-- Undo: SELECT delete_job(j.job_id) FROM timescaledb_information.jobs j WHERE j.proc_schema = 'factory_telemetry' AND
--   j.proc_name = 'trim_realtime_index';
\echo 'Run trim_realtime_index every 1 hour'
BEGIN;
SELECT alter_job(add_job('factory_telemetry.trim_realtime_index', INTERVAL '1 hour',
    config => '{"at_most": 200, "keep_for": "24 hours"}'::jsonb, fixed_schedule => false),
    schedule_interval => INTERVAL '1 hour', scheduled => true, next_start => now() + INTERVAL '1 hour');
COMMIT;

-- 04.v_index_usage.view -----------------------------------------------------------------------------------------------
-- Create the view v_index_usage
-- One row per index of the schema's tables and hypertables, summed over the indexes of chunks, where all is read and
--   stored. Counts are since the statistics were last reset, and leave out dropped chunks and indexes of compressed
--   data.
-- Lock: ACCESS EXCLUSIVE on factory_telemetry.v_index_usage, for a moment.
-- Undo: DROP VIEW factory_telemetry.v_index_usage;
\echo 'Create the view v_index_usage'
BEGIN;
CREATE VIEW factory_telemetry.v_index_usage AS
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
COMMENT ON VIEW factory_telemetry.v_index_usage IS
    'Index usage summed over chunks since the statistics were last reset: UNUSED 0 scans, LOW under 100, MODERATE under 1000';
COMMIT;
