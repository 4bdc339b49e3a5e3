-- Phase 4, step 1 of 5: Hypertables
--
--   psql -X -f sql/phase4/phase4_01_hypertables.sql
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
-- A conversion copies its table under an ACCESS EXCLUSIVE lock: nobody reads or writes it meanwhile, and it needs free
-- disk of about its own size. `python -m ms5ops apply` converts a large table beside its writers instead. One
-- transaction per table: what fails leaves that table as it was. Rows without a time are refused ("contains null
-- values"): give them one, or move them to another table.
--
-- The lock table must hold every new chunk and each of its indexes: with 1-hour chunks, 90 days are 2,160 chunks and
-- about 6,500 locks, against max_locks_per_transaction * (max_connections + max_prepared_transactions).
--
-- The settings of the database, at the end, take its owner.
--
-- A backup comes first. There is no undo in place: the way back is a copy into a plain table.

\set ON_ERROR_STOP on
SET timezone = 'UTC';
-- Give up rather than queue behind a long query, with every later query queueing behind us.
SET lock_timeout = '3s';
SET client_min_messages = warning;

-- What is a hypertable already was begun with, or is the other kind of installation.
DO $block$
BEGIN
    IF EXISTS (SELECT FROM timescaledb_information.hypertables h
               WHERE h.hypertable_schema = 'factory_telemetry' AND h.hypertable_name IN
                   ('metric_hist', 'oee_calculations', 'energy_consumption', 'production_kpis',
                    'production_context_history')) THEN
        RAISE EXCEPTION 'these scripts are for plain tables, and some here are hypertables already'
            USING HINT = 'The script that fits: python -m ms5ops plan --sql';
    END IF;
END
$block$;

-- 01.metric_hist.convert ----------------------------------------------------------------------------------------------
-- Make metric_hist a hypertable
-- hypertable by ts, chunks of 1 hour, PRIMARY KEY (id, ts)
\echo 'Make metric_hist a hypertable'
BEGIN;
LOCK TABLE factory_telemetry.metric_hist IN ACCESS EXCLUSIVE MODE;
ALTER TABLE factory_telemetry.metric_hist DROP CONSTRAINT "metric_hist_pkey";
ALTER TABLE factory_telemetry.metric_hist ADD CONSTRAINT "metric_hist_pkey" PRIMARY KEY ("id", "ts");
SELECT create_hypertable('factory_telemetry.metric_hist', 'ts', chunk_time_interval => INTERVAL '1 hour',
    migrate_data => true, create_default_indexes => false);
COMMIT;

-- 01.metric_hist.autovacuum -------------------------------------------------------------------------------------------
-- Autovacuum of metric_hist follows its rate of change
-- autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02
-- Lock: SHARE UPDATE EXCLUSIVE on factory_telemetry.metric_hist and its chunks, for a moment.
-- Undo: ALTER TABLE factory_telemetry.metric_hist RESET (autovacuum_vacuum_scale_factor,
--   autovacuum_analyze_scale_factor);
\echo 'Autovacuum of metric_hist follows its rate of change'
BEGIN;
ALTER TABLE factory_telemetry.metric_hist SET (autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.02);
COMMIT;

-- 01.oee_calculations.convert -----------------------------------------------------------------------------------------
-- Make oee_calculations a hypertable
-- hypertable by calculation_time, chunks of 1 day, PRIMARY KEY (id, calculation_time)
\echo 'Make oee_calculations a hypertable'
BEGIN;
LOCK TABLE factory_telemetry.oee_calculations IN ACCESS EXCLUSIVE MODE;
ALTER TABLE factory_telemetry.oee_calculations DROP CONSTRAINT "oee_calculations_pkey";
ALTER TABLE factory_telemetry.oee_calculations ADD CONSTRAINT "oee_calculations_pkey" PRIMARY KEY ("id",
    "calculation_time");
SELECT create_hypertable('factory_telemetry.oee_calculations', 'calculation_time',
    chunk_time_interval => INTERVAL '1 day', migrate_data => true, create_default_indexes => false);
COMMIT;

-- 01.oee_calculations.autovacuum --------------------------------------------------------------------------------------
-- Autovacuum of oee_calculations follows its rate of change
-- autovacuum_vacuum_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05
-- Lock: SHARE UPDATE EXCLUSIVE on factory_telemetry.oee_calculations and its chunks, for a moment.
-- Undo: ALTER TABLE factory_telemetry.oee_calculations RESET (autovacuum_vacuum_scale_factor,
--   autovacuum_analyze_scale_factor);
\echo 'Autovacuum of oee_calculations follows its rate of change'
BEGIN;
ALTER TABLE factory_telemetry.oee_calculations SET (autovacuum_vacuum_scale_factor = 0.1,
    autovacuum_analyze_scale_factor = 0.05);
COMMIT;

-- 01.energy_consumption.convert ---------------------------------------------------------------------------------------
-- Make energy_consumption a hypertable
-- hypertable by consumption_time, chunks of 1 day, PRIMARY KEY (id, consumption_time)
\echo 'Make energy_consumption a hypertable'
BEGIN;
LOCK TABLE factory_telemetry.energy_consumption IN ACCESS EXCLUSIVE MODE;
ALTER TABLE factory_telemetry.energy_consumption DROP CONSTRAINT "energy_consumption_pkey";
ALTER TABLE factory_telemetry.energy_consumption ADD CONSTRAINT "energy_consumption_pkey" PRIMARY KEY ("id",
    "consumption_time");
SELECT create_hypertable('factory_telemetry.energy_consumption', 'consumption_time',
    chunk_time_interval => INTERVAL '1 day', migrate_data => true, create_default_indexes => false);
COMMIT;

-- 01.energy_consumption.autovacuum ------------------------------------------------------------------------------------
-- Autovacuum of energy_consumption follows its rate of change
-- autovacuum_vacuum_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05
-- Lock: SHARE UPDATE EXCLUSIVE on factory_telemetry.energy_consumption and its chunks, for a moment.
-- Undo: ALTER TABLE factory_telemetry.energy_consumption RESET (autovacuum_vacuum_scale_factor,
--   autovacuum_analyze_scale_factor);
\echo 'Autovacuum of energy_consumption follows its rate of change'
BEGIN;
ALTER TABLE factory_telemetry.energy_consumption SET (autovacuum_vacuum_scale_factor = 0.1,
    autovacuum_analyze_scale_factor = 0.05);
COMMIT;

-- 01.production_kpis.convert ------------------------------------------------------------------------------------------
-- Make production_kpis a hypertable
-- hypertable by created_at, chunks of 1 day, PRIMARY KEY (id, created_at)
\echo 'Make production_kpis a hypertable'
BEGIN;
LOCK TABLE factory_telemetry.production_kpis IN ACCESS EXCLUSIVE MODE;
ALTER TABLE factory_telemetry.production_kpis DROP CONSTRAINT "production_kpis_pkey";
ALTER TABLE factory_telemetry.production_kpis ALTER COLUMN created_at SET NOT NULL;
ALTER TABLE factory_telemetry.production_kpis ADD CONSTRAINT "production_kpis_pkey" PRIMARY KEY ("id", "created_at");
SELECT create_hypertable('factory_telemetry.production_kpis', 'created_at',
    chunk_time_interval => INTERVAL '1 day', migrate_data => true, create_default_indexes => false);
COMMIT;

-- 01.production_kpis.autovacuum ---------------------------------------------------------------------------------------
-- Autovacuum of production_kpis follows its rate of change
-- autovacuum_vacuum_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05
-- Lock: SHARE UPDATE EXCLUSIVE on factory_telemetry.production_kpis and its chunks, for a moment.
-- Undo: ALTER TABLE factory_telemetry.production_kpis RESET (autovacuum_vacuum_scale_factor,
--   autovacuum_analyze_scale_factor);
\echo 'Autovacuum of production_kpis follows its rate of change'
BEGIN;
ALTER TABLE factory_telemetry.production_kpis SET (autovacuum_vacuum_scale_factor = 0.1,
    autovacuum_analyze_scale_factor = 0.05);
COMMIT;

-- 01.production_context_history.convert -------------------------------------------------------------------------------
-- Make production_context_history a hypertable
-- hypertable by changed_at, chunks of 1 day, PRIMARY KEY (id, changed_at)
\echo 'Make production_context_history a hypertable'
BEGIN;
LOCK TABLE factory_telemetry.production_context_history IN ACCESS EXCLUSIVE MODE;
ALTER TABLE factory_telemetry.production_context_history DROP CONSTRAINT "production_context_history_pkey";
ALTER TABLE factory_telemetry.production_context_history ALTER COLUMN changed_at SET NOT NULL;
ALTER TABLE factory_telemetry.production_context_history ADD CONSTRAINT "production_context_history_pkey"
    PRIMARY KEY ("id", "changed_at");
SELECT create_hypertable('factory_telemetry.production_context_history', 'changed_at',
    chunk_time_interval => INTERVAL '1 day', migrate_data => true, create_default_indexes => false);
COMMIT;

-- 01.production_context_history.autovacuum ----------------------------------------------------------------------------
-- Autovacuum of production_context_history follows its rate of change
-- autovacuum_vacuum_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05
-- Lock: SHARE UPDATE EXCLUSIVE on factory_telemetry.production_context_history and its chunks, for a moment.
-- Undo: ALTER TABLE factory_telemetry.production_context_history RESET (autovacuum_vacuum_scale_factor,
--   autovacuum_analyze_scale_factor);
\echo 'Autovacuum of production_context_history follows its rate of change'
BEGIN;
ALTER TABLE factory_telemetry.production_context_history SET (autovacuum_vacuum_scale_factor = 0.1,
    autovacuum_analyze_scale_factor = 0.05);
COMMIT;

-- 01.database.random_page_cost ----------------------------------------------------------------------------------------
-- Set random_page_cost for the database
-- 1.1 (on SSDs the default of 4 makes the planner avoid indexes)
-- Undo: DO $block$ BEGIN EXECUTE format('ALTER DATABASE %I RESET random_page_cost', current_database()); END $block$;
\echo 'Set random_page_cost for the database'
BEGIN;
DO $block$ BEGIN EXECUTE format('ALTER DATABASE %I SET random_page_cost = ''1.1''', current_database()); END $block$;
COMMIT;

-- 01.database.effective_cache_size ------------------------------------------------------------------------------------
-- Set effective_cache_size for the database
-- 0MB (memory cannot be seen from here; a quarter of it is taken to be shared_buffers)
-- Undo: DO $block$ BEGIN EXECUTE format('ALTER DATABASE %I RESET effective_cache_size', current_database()); END
--   $block$;
\echo 'Set effective_cache_size for the database'
BEGIN;
DO $block$
DECLARE
    wanted bigint := floor(pg_size_bytes(current_setting('shared_buffers')) / 0.25 * 0.75 / 1048576);
BEGIN
    IF pg_size_bytes(current_setting('effective_cache_size')) < wanted * 1048576 THEN
        EXECUTE format('ALTER DATABASE %I SET effective_cache_size = %L', current_database(), wanted || 'MB');
    END IF;
END
$block$;
COMMIT;

-- 01.database.max_parallel_workers_per_gather -------------------------------------------------------------------------
-- Set max_parallel_workers_per_gather for the database
-- 4 (long ranges of history are scanned in parallel)
-- Undo: DO $block$ BEGIN EXECUTE format('ALTER DATABASE %I RESET max_parallel_workers_per_gather', current_database());
--   END $block$;
\echo 'Set max_parallel_workers_per_gather for the database'
BEGIN;
DO $block$ BEGIN EXECUTE format('ALTER DATABASE %I SET max_parallel_workers_per_gather = ''4''',
    current_database()); END $block$;
COMMIT;

-- 01.database.jit -----------------------------------------------------------------------------------------------------
-- Set jit for the database
-- off (compiling wide queries over raw data took up to seven times as long as running them)
-- Undo: DO $block$ BEGIN EXECUTE format('ALTER DATABASE %I RESET jit', current_database()); END $block$;
\echo 'Set jit for the database'
BEGIN;
DO $block$ BEGIN EXECUTE format('ALTER DATABASE %I SET jit = ''off''', current_database()); END $block$;
COMMIT;

-- For the administrator: not executed ---------------------------------------------------------------------------------
-- At least these; all but the last need a restart, so ALTER DATABASE cannot set them.
--   ALTER SYSTEM SET timescaledb.max_background_workers = 8;
--   -- then restart the server
--   ALTER SYSTEM SET max_worker_processes = 19;
--   -- then restart the server
--   ALTER SYSTEM SET max_locks_per_transaction = 256;
--   -- then restart the server
--   ALTER SYSTEM SET timescaledb.enable_job_execution_logging = on;
--   SELECT pg_reload_conf();
