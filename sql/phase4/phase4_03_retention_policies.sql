-- Phase 4, step 3 of 5: Retention
--
--   psql -X -f sql/phase4/phase4_03_retention_policies.sql
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
-- THIS DELETES DATA, later and for good: chunks whose newest row is older than the period are dropped. The first run is
-- at least a day away, so that step 5 has carried the old rows into the aggregates by then: run that today. The
-- aggregates have no retention of their own, they stay.

\set ON_ERROR_STOP on
SET timezone = 'UTC';
-- Give up rather than queue behind a long query, with every later query queueing behind us.
SET lock_timeout = '3s';
SET client_min_messages = warning;

-- 03.v_retention_status.view ------------------------------------------------------------------------------------------
-- Create the view v_retention_status
-- One row per hypertable of MS5.0. Sizes: uncompressed chunks as they are now, compressed ones as recorded when they
--   were compressed (reading each live costs a second or more with thousands of chunks). Times are NULL before the
--   first run.
-- Lock: ACCESS EXCLUSIVE on factory_telemetry.v_retention_status, for a moment.
-- Undo: DROP VIEW factory_telemetry.v_retention_status;
\echo 'Create the view v_retention_status'
BEGIN;
CREATE VIEW factory_telemetry.v_retention_status AS
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
COMMENT ON VIEW factory_telemetry.v_retention_status IS
    'Retention per hypertable: period, next and last run, chunks, chunks due to be dropped, size';
COMMIT;

-- 03.production_kpis.retention_policy ---------------------------------------------------------------------------------
-- Drop rows of production_kpis after 365 days
-- drop_after 365 days, every 1 day, from 02:30 UTC, the first run 2 days ahead
-- Lock: ROW EXCLUSIVE on TimescaleDB's table of jobs, for a moment.
-- THIS DESTROYS DATA: rows of factory_telemetry.production_kpis older than 365 days, from its first run on.
-- Undo: SELECT remove_retention_policy('factory_telemetry.production_kpis', if_exists => true);
\echo 'Drop rows of production_kpis after 365 days'
BEGIN;
SELECT alter_job(add_retention_policy('factory_telemetry.production_kpis', drop_after => INTERVAL '365 days',
    initial_start => date_trunc('day', now(), 'UTC') + INTERVAL '2 days 02:30:00'),
    schedule_interval => INTERVAL '1 day', max_runtime => INTERVAL '1 hour', max_retries => -1,
    retry_period => INTERVAL '6 hours', scheduled => true);
COMMIT;

-- 03.production_context_history.retention_policy ----------------------------------------------------------------------
-- Drop rows of production_context_history after 730 days
-- drop_after 730 days, every 1 day, from 02:40 UTC, the first run 2 days ahead
-- Lock: ROW EXCLUSIVE on TimescaleDB's table of jobs, for a moment.
-- THIS DESTROYS DATA: rows of factory_telemetry.production_context_history older than 730 days, from its first run on.
-- Undo: SELECT remove_retention_policy('factory_telemetry.production_context_history', if_exists => true);
\echo 'Drop rows of production_context_history after 730 days'
BEGIN;
SELECT alter_job(add_retention_policy('factory_telemetry.production_context_history',
    drop_after => INTERVAL '730 days', initial_start => date_trunc('day', now(), 'UTC') + INTERVAL '2 days 02:40:00'),
    schedule_interval => INTERVAL '1 day', max_runtime => INTERVAL '1 hour', max_retries => -1,
    retry_period => INTERVAL '6 hours', scheduled => true);
COMMIT;

-- 03.metric_hist.retention_policy -------------------------------------------------------------------------------------
-- Drop rows of metric_hist after 90 days
-- drop_after 90 days, every 1 day, from 02:00 UTC, the first run 2 days ahead
-- Lock: ROW EXCLUSIVE on TimescaleDB's table of jobs, for a moment.
-- THIS DESTROYS DATA: rows of factory_telemetry.metric_hist older than 90 days, from its first run on.
-- Undo: SELECT remove_retention_policy('factory_telemetry.metric_hist', if_exists => true);
\echo 'Drop rows of metric_hist after 90 days'
BEGIN;
SELECT alter_job(add_retention_policy('factory_telemetry.metric_hist', drop_after => INTERVAL '90 days',
    initial_start => date_trunc('day', now(), 'UTC') + INTERVAL '2 days 02:00:00'),
    schedule_interval => INTERVAL '1 day', max_runtime => INTERVAL '1 hour', max_retries => -1,
    retry_period => INTERVAL '6 hours', scheduled => true);
COMMIT;

-- 03.oee_calculations.retention_policy --------------------------------------------------------------------------------
-- Drop rows of oee_calculations after 365 days
-- drop_after 365 days, every 1 day, from 02:10 UTC, the first run 2 days ahead
-- Lock: ROW EXCLUSIVE on TimescaleDB's table of jobs, for a moment.
-- THIS DESTROYS DATA: rows of factory_telemetry.oee_calculations older than 365 days, from its first run on.
-- Undo: SELECT remove_retention_policy('factory_telemetry.oee_calculations', if_exists => true);
\echo 'Drop rows of oee_calculations after 365 days'
BEGIN;
SELECT alter_job(add_retention_policy('factory_telemetry.oee_calculations', drop_after => INTERVAL '365 days',
    initial_start => date_trunc('day', now(), 'UTC') + INTERVAL '2 days 02:10:00'),
    schedule_interval => INTERVAL '1 day', max_runtime => INTERVAL '1 hour', max_retries => -1,
    retry_period => INTERVAL '6 hours', scheduled => true);
COMMIT;

-- 03.energy_consumption.retention_policy ------------------------------------------------------------------------------
-- Drop rows of energy_consumption after 365 days
-- drop_after 365 days, every 1 day, from 02:20 UTC, the first run 2 days ahead
-- Lock: ROW EXCLUSIVE on TimescaleDB's table of jobs, for a moment.
-- THIS DESTROYS DATA: rows of factory_telemetry.energy_consumption older than 365 days, from its first run on.
-- Undo: SELECT remove_retention_policy('factory_telemetry.energy_consumption', if_exists => true);
\echo 'Drop rows of energy_consumption after 365 days'
BEGIN;
SELECT alter_job(add_retention_policy('factory_telemetry.energy_consumption', drop_after => INTERVAL '365 days',
    initial_start => date_trunc('day', now(), 'UTC') + INTERVAL '2 days 02:20:00'),
    schedule_interval => INTERVAL '1 day', max_runtime => INTERVAL '1 hour', max_retries => -1,
    retry_period => INTERVAL '6 hours', scheduled => true);
COMMIT;
