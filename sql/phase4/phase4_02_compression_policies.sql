-- Phase 4, step 2 of 5: Compression
--
--   psql -X -f sql/phase4/phase4_02_compression_policies.sql
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
-- Segment-by and order-by hold for chunks that are compressed from then on. What is old enough is compressed here, one
-- commit per chunk, newest first, before the policy is made whose job would do the same beside it.
--
-- The server warns that column "id" should be used for segmenting or ordering, because it is in the primary key. That
-- is known and harmless here: rows are not inserted with ids of their own choosing, so no look-up by id is needed.

\set ON_ERROR_STOP on
SET timezone = 'UTC';
-- Give up rather than queue behind a long query, with every later query queueing behind us.
SET lock_timeout = '3s';
SET client_min_messages = warning;

-- 02.metric_hist.compression_settings ---------------------------------------------------------------------------------
-- Switch on compression of metric_hist
-- segment by metric_def_id, order by ts DESC
-- Lock: ACCESS EXCLUSIVE on factory_telemetry.metric_hist, for a moment.
\echo 'Switch on compression of metric_hist'
BEGIN;
ALTER TABLE factory_telemetry.metric_hist SET (timescaledb.compress,
    timescaledb.compress_segmentby = 'metric_def_id', timescaledb.compress_orderby = 'ts DESC');
COMMIT;

-- 02.metric_hist.compress ---------------------------------------------------------------------------------------------
-- Compress the chunks of metric_hist that are older than 7 days
-- Lock: ACCESS EXCLUSIVE on each chunk in turn, for the end of its compression; writers to old chunks wait.
\echo 'Compress the chunks of metric_hist that are older than 7 days'
DO $block$
DECLARE
    chunk regclass;
BEGIN
    FOR chunk IN SELECT format('%I.%I', c.chunk_schema, c.chunk_name)::regclass
        FROM timescaledb_information.chunks c WHERE c.hypertable_schema = 'factory_telemetry'
        AND c.hypertable_name = 'metric_hist' AND c.range_end < now() - INTERVAL '7 days' AND NOT c.is_compressed
        ORDER BY c.range_start DESC
    LOOP
        PERFORM compress_chunk(chunk, true);
        COMMIT;
    END LOOP;
END
$block$;

-- 02.metric_hist.compression_policy -----------------------------------------------------------------------------------
-- Compress metric_hist after 7 days
-- compress_after 7 days, every 12 hours
-- Lock: ROW EXCLUSIVE on TimescaleDB's table of jobs, for a moment.
-- Undo: SELECT remove_compression_policy('factory_telemetry.metric_hist', if_exists => true);
\echo 'Compress metric_hist after 7 days'
BEGIN;
SELECT alter_job(add_compression_policy('factory_telemetry.metric_hist', compress_after => INTERVAL '7 days'),
    schedule_interval => INTERVAL '12 hours', max_runtime => INTERVAL '4 hours', max_retries => -1,
    retry_period => INTERVAL '1 hour', scheduled => true);
COMMIT;

-- 02.oee_calculations.compression_settings ----------------------------------------------------------------------------
-- Switch on compression of oee_calculations
-- segment by line_id, equipment_code, order by calculation_time DESC
-- Lock: ACCESS EXCLUSIVE on factory_telemetry.oee_calculations, for a moment.
\echo 'Switch on compression of oee_calculations'
BEGIN;
ALTER TABLE factory_telemetry.oee_calculations SET (timescaledb.compress,
    timescaledb.compress_segmentby = 'line_id, equipment_code', timescaledb.compress_orderby = 'calculation_time DESC');
COMMIT;

-- 02.oee_calculations.compress ----------------------------------------------------------------------------------------
-- Compress the chunks of oee_calculations that are older than 7 days
-- Lock: ACCESS EXCLUSIVE on each chunk in turn, for the end of its compression; writers to old chunks wait.
\echo 'Compress the chunks of oee_calculations that are older than 7 days'
DO $block$
DECLARE
    chunk regclass;
BEGIN
    FOR chunk IN SELECT format('%I.%I', c.chunk_schema, c.chunk_name)::regclass
        FROM timescaledb_information.chunks c WHERE c.hypertable_schema = 'factory_telemetry'
        AND c.hypertable_name = 'oee_calculations' AND c.range_end < now() - INTERVAL '7 days' AND NOT c.is_compressed
        ORDER BY c.range_start DESC
    LOOP
        PERFORM compress_chunk(chunk, true);
        COMMIT;
    END LOOP;
END
$block$;

-- 02.oee_calculations.compression_policy ------------------------------------------------------------------------------
-- Compress oee_calculations after 7 days
-- compress_after 7 days, every 12 hours
-- Lock: ROW EXCLUSIVE on TimescaleDB's table of jobs, for a moment.
-- Undo: SELECT remove_compression_policy('factory_telemetry.oee_calculations', if_exists => true);
\echo 'Compress oee_calculations after 7 days'
BEGIN;
SELECT alter_job(add_compression_policy('factory_telemetry.oee_calculations', compress_after => INTERVAL '7 days'),
    schedule_interval => INTERVAL '12 hours', max_runtime => INTERVAL '4 hours', max_retries => -1,
    retry_period => INTERVAL '1 hour', scheduled => true);
COMMIT;

-- 02.energy_consumption.compression_settings --------------------------------------------------------------------------
-- Switch on compression of energy_consumption
-- segment by equipment_code, order by consumption_time DESC
-- Lock: ACCESS EXCLUSIVE on factory_telemetry.energy_consumption, for a moment.
\echo 'Switch on compression of energy_consumption'
BEGIN;
ALTER TABLE factory_telemetry.energy_consumption SET (timescaledb.compress,
    timescaledb.compress_segmentby = 'equipment_code', timescaledb.compress_orderby = 'consumption_time DESC');
COMMIT;

-- 02.energy_consumption.compress --------------------------------------------------------------------------------------
-- Compress the chunks of energy_consumption that are older than 14 days
-- Lock: ACCESS EXCLUSIVE on each chunk in turn, for the end of its compression; writers to old chunks wait.
\echo 'Compress the chunks of energy_consumption that are older than 14 days'
DO $block$
DECLARE
    chunk regclass;
BEGIN
    FOR chunk IN SELECT format('%I.%I', c.chunk_schema, c.chunk_name)::regclass
        FROM timescaledb_information.chunks c WHERE c.hypertable_schema = 'factory_telemetry'
        AND c.hypertable_name = 'energy_consumption' AND c.range_end < now() - INTERVAL '14 days'
        AND NOT c.is_compressed ORDER BY c.range_start DESC
    LOOP
        PERFORM compress_chunk(chunk, true);
        COMMIT;
    END LOOP;
END
$block$;

-- 02.energy_consumption.compression_policy ----------------------------------------------------------------------------
-- Compress energy_consumption after 14 days
-- compress_after 14 days, every 12 hours
-- Lock: ROW EXCLUSIVE on TimescaleDB's table of jobs, for a moment.
-- Undo: SELECT remove_compression_policy('factory_telemetry.energy_consumption', if_exists => true);
\echo 'Compress energy_consumption after 14 days'
BEGIN;
SELECT alter_job(add_compression_policy('factory_telemetry.energy_consumption',
    compress_after => INTERVAL '14 days'), schedule_interval => INTERVAL '12 hours', max_runtime => INTERVAL '4 hours',
    max_retries => -1, retry_period => INTERVAL '1 hour', scheduled => true);
COMMIT;

-- 02.production_kpis.compression_settings -----------------------------------------------------------------------------
-- Switch on compression of production_kpis
-- segment by line_id, order by created_at DESC
-- Lock: ACCESS EXCLUSIVE on factory_telemetry.production_kpis, for a moment.
\echo 'Switch on compression of production_kpis'
BEGIN;
ALTER TABLE factory_telemetry.production_kpis SET (timescaledb.compress,
    timescaledb.compress_segmentby = 'line_id', timescaledb.compress_orderby = 'created_at DESC');
COMMIT;

-- 02.production_kpis.compress -----------------------------------------------------------------------------------------
-- Compress the chunks of production_kpis that are older than 7 days
-- Lock: ACCESS EXCLUSIVE on each chunk in turn, for the end of its compression; writers to old chunks wait.
\echo 'Compress the chunks of production_kpis that are older than 7 days'
DO $block$
DECLARE
    chunk regclass;
BEGIN
    FOR chunk IN SELECT format('%I.%I', c.chunk_schema, c.chunk_name)::regclass
        FROM timescaledb_information.chunks c WHERE c.hypertable_schema = 'factory_telemetry'
        AND c.hypertable_name = 'production_kpis' AND c.range_end < now() - INTERVAL '7 days' AND NOT c.is_compressed
        ORDER BY c.range_start DESC
    LOOP
        PERFORM compress_chunk(chunk, true);
        COMMIT;
    END LOOP;
END
$block$;

-- 02.production_kpis.compression_policy -------------------------------------------------------------------------------
-- Compress production_kpis after 7 days
-- compress_after 7 days, every 12 hours
-- Lock: ROW EXCLUSIVE on TimescaleDB's table of jobs, for a moment.
-- Undo: SELECT remove_compression_policy('factory_telemetry.production_kpis', if_exists => true);
\echo 'Compress production_kpis after 7 days'
BEGIN;
SELECT alter_job(add_compression_policy('factory_telemetry.production_kpis', compress_after => INTERVAL '7 days'),
    schedule_interval => INTERVAL '12 hours', max_runtime => INTERVAL '4 hours', max_retries => -1,
    retry_period => INTERVAL '1 hour', scheduled => true);
COMMIT;

-- 02.production_context_history.compression_settings ------------------------------------------------------------------
-- Switch on compression of production_context_history
-- segment by equipment_code, order by changed_at DESC
-- Lock: ACCESS EXCLUSIVE on factory_telemetry.production_context_history, for a moment.
\echo 'Switch on compression of production_context_history'
BEGIN;
DO $block$
BEGIN
    IF (SELECT regexp_match(e.extversion, '^(\d+)\.(\d+)')::integer[] FROM pg_extension e
        WHERE e.extname = 'timescaledb') < ARRAY[2, 17] THEN
        ALTER TABLE factory_telemetry.production_context_history SET (timescaledb.compress,
            timescaledb.compress_segmentby = 'equipment_code, changed_by',
            timescaledb.compress_orderby = 'changed_at DESC');
    ELSE
        ALTER TABLE factory_telemetry.production_context_history SET (timescaledb.compress,
            timescaledb.compress_segmentby = 'equipment_code', timescaledb.compress_orderby = 'changed_at DESC');
    END IF;
END
$block$;
COMMIT;

-- 02.production_context_history.compress ------------------------------------------------------------------------------
-- Compress the chunks of production_context_history that are older than 30 days
-- Lock: ACCESS EXCLUSIVE on each chunk in turn, for the end of its compression; writers to old chunks wait.
\echo 'Compress the chunks of production_context_history that are older than 30 days'
DO $block$
DECLARE
    chunk regclass;
BEGIN
    FOR chunk IN SELECT format('%I.%I', c.chunk_schema, c.chunk_name)::regclass
        FROM timescaledb_information.chunks c WHERE c.hypertable_schema = 'factory_telemetry'
        AND c.hypertable_name = 'production_context_history' AND c.range_end < now() - INTERVAL '30 days'
        AND NOT c.is_compressed ORDER BY c.range_start DESC
    LOOP
        PERFORM compress_chunk(chunk, true);
        COMMIT;
    END LOOP;
END
$block$;

-- 02.production_context_history.compression_policy --------------------------------------------------------------------
-- Compress production_context_history after 30 days
-- compress_after 30 days, every 12 hours
-- Lock: ROW EXCLUSIVE on TimescaleDB's table of jobs, for a moment.
-- Undo: SELECT remove_compression_policy('factory_telemetry.production_context_history', if_exists => true);
\echo 'Compress production_context_history after 30 days'
BEGIN;
SELECT alter_job(add_compression_policy('factory_telemetry.production_context_history',
    compress_after => INTERVAL '30 days'), schedule_interval => INTERVAL '12 hours', max_runtime => INTERVAL '4 hours',
    max_retries => -1, retry_period => INTERVAL '1 hour', scheduled => true);
COMMIT;
