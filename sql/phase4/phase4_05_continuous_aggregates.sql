-- Phase 4, step 5 of 5: Continuous aggregates
--
--   psql -X -f sql/phase4/phase4_05_continuous_aggregates.sql
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
--   metric_hist        -> metric_hist_1min -> metric_hist_1hour -> metric_hist_1day
--                      -> metric_hist_1hour_percentiles
--   oee_calculations   -> oee_hourly       -> oee_daily         -> oee_weekly
--   energy_consumption -> energy_hourly    -> energy_daily
--
-- Outside a transaction where a refresh is: it cannot run inside one. The first filling reads all raw rows once:
-- minutes for tens of millions. It goes bottom up and before the policies, whose jobs would run into it.
--
-- Buckets are in UTC; weeks begin on Monday. Each level carries what combines exactly (count, sum, sum of squares, min,
-- max, last) and derives the mean and the standard deviation from these: an average of averages would be wrong wherever
-- buckets hold unequal counts. Percentiles do not combine at all, so they are taken from the raw samples, at the hour.
--
-- Every aggregate has materialized_only = false: what the policy has not reached yet is computed when it is read. Two
-- rules hold for each refresh policy: start_offset + schedule_interval stays within the retention of the source (a
-- window that reaches past dropped chunks would erase what was aggregated from them), and start_offset - end_offset
-- covers at least two buckets, or the server refuses it. Rows that arrive later than start_offset stay out until
-- someone refreshes that span by hand.

\set ON_ERROR_STOP on
SET timezone = 'UTC';
-- Give up rather than queue behind a long query, with every later query queueing behind us.
SET lock_timeout = '3s';
SET client_min_messages = warning;

-- 05.metric_hist_1min.create ------------------------------------------------------------------------------------------
-- Create metric_hist_1min
-- Samples per metric and minute. A value is the sample as a number (REAL or INT metrics); TEXT and JSON metrics count
--   as samples only. Read from metric_hist, still empty.
-- Lock: SHARE ROW EXCLUSIVE on factory_telemetry.metric_hist, for a moment.
-- Undo: DROP MATERIALIZED VIEW factory_telemetry.metric_hist_1min;
\echo 'Create metric_hist_1min'
BEGIN;
CREATE MATERIALIZED VIEW factory_telemetry.metric_hist_1min
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT metric_def_id,
       time_bucket(INTERVAL '1 minute', ts)                               AS bucket,
       count(*)                                                           AS sample_count,
       count(coalesce(value_real, value_int))                             AS value_count,
       sum(coalesce(value_real, value_int))                               AS value_sum,
       sum(coalesce(value_real, value_int) * coalesce(value_real, value_int)) AS value_sum_squares,
       avg(coalesce(value_real, value_int))                               AS value_avg,
       min(coalesce(value_real, value_int))                               AS value_min,
       max(coalesce(value_real, value_int))                               AS value_max,
       stddev_samp(coalesce(value_real, value_int))                       AS value_stddev,
       last(value_real, ts)                                               AS last_real,
       last(value_int, ts)                                                AS last_int,
       count(*) FILTER (WHERE value_bool)                                 AS true_count,
       count(*) FILTER (WHERE NOT value_bool)                             AS false_count,
       max(ts)                                                            AS last_sample_at
FROM factory_telemetry.metric_hist
GROUP BY metric_def_id, time_bucket(INTERVAL '1 minute', ts)
WITH NO DATA;
SELECT set_chunk_time_interval((SELECT format('%I.%I', a.materialization_hypertable_schema,
    a.materialization_hypertable_name)::regclass FROM timescaledb_information.continuous_aggregates a
    WHERE a.view_schema = 'factory_telemetry' AND a.view_name = 'metric_hist_1min'), INTERVAL '1 day');
COMMIT;

-- 05.metric_hist_1min.refresh -----------------------------------------------------------------------------------------
-- Fill metric_hist_1min
-- filled from the beginning, newest first
-- Lock: ROW EXCLUSIVE on the materialised rows of factory_telemetry.metric_hist_1min, for each piece; readers and
--   writers go on.
\echo 'Fill metric_hist_1min'
CALL refresh_continuous_aggregate('factory_telemetry.metric_hist_1min', NULL, now() - INTERVAL '1 minute');

-- 05.metric_hist_1hour.create -----------------------------------------------------------------------------------------
-- Create metric_hist_1hour
-- Samples per metric and hour, combined from the minutes: mean and standard deviation are derived from count, sum and
--   sum of squares. Read from metric_hist_1min, still empty.
-- Lock: SHARE ROW EXCLUSIVE on factory_telemetry.metric_hist_1min, for a moment.
-- Undo: DROP MATERIALIZED VIEW factory_telemetry.metric_hist_1hour;
\echo 'Create metric_hist_1hour'
BEGIN;
CREATE MATERIALIZED VIEW factory_telemetry.metric_hist_1hour
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT metric_def_id,
       time_bucket(INTERVAL '1 hour', bucket)                             AS bucket,
       sum(sample_count)::bigint                                          AS sample_count,
       sum(value_count)::bigint                                           AS value_count,
       sum(value_sum)                                                     AS value_sum,
       sum(value_sum_squares)                                             AS value_sum_squares,
       sum(value_sum) / nullif(sum(value_count), 0)::double precision     AS value_avg,
       min(value_min)                                                     AS value_min,
       max(value_max)                                                     AS value_max,
       -- Sample standard deviation; the difference can come out a hair below zero for a constant value.
       sqrt(greatest(sum(value_sum_squares) - sum(value_sum) * sum(value_sum) / nullif(sum(value_count), 0)::double precision, 0)
            / nullif(greatest(sum(value_count) - 1, 0), 0)::double precision) AS value_stddev,
       last(last_real, bucket)                                            AS last_real,
       last(last_int, bucket)                                             AS last_int,
       sum(true_count)::bigint                                            AS true_count,
       sum(false_count)::bigint                                           AS false_count,
       max(last_sample_at)                                                AS last_sample_at
FROM factory_telemetry.metric_hist_1min
GROUP BY metric_def_id, time_bucket(INTERVAL '1 hour', bucket)
WITH NO DATA;
SELECT set_chunk_time_interval((SELECT format('%I.%I', a.materialization_hypertable_schema,
    a.materialization_hypertable_name)::regclass FROM timescaledb_information.continuous_aggregates a
    WHERE a.view_schema = 'factory_telemetry' AND a.view_name = 'metric_hist_1hour'), INTERVAL '30 days');
COMMIT;

-- 05.metric_hist_1hour.refresh ----------------------------------------------------------------------------------------
-- Fill metric_hist_1hour
-- filled from the beginning, newest first
-- Lock: ROW EXCLUSIVE on the materialised rows of factory_telemetry.metric_hist_1hour, for each piece; readers and
--   writers go on.
\echo 'Fill metric_hist_1hour'
CALL refresh_continuous_aggregate('factory_telemetry.metric_hist_1hour', NULL, now() - INTERVAL '1 hour');

-- 05.metric_hist_1day.create ------------------------------------------------------------------------------------------
-- Create metric_hist_1day
-- Samples per metric and day (UTC), combined from the hours: mean and standard deviation are derived from count, sum
--   and sum of squares. Read from metric_hist_1hour, still empty.
-- Lock: SHARE ROW EXCLUSIVE on factory_telemetry.metric_hist_1hour, for a moment.
-- Undo: DROP MATERIALIZED VIEW factory_telemetry.metric_hist_1day;
\echo 'Create metric_hist_1day'
BEGIN;
CREATE MATERIALIZED VIEW factory_telemetry.metric_hist_1day
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT metric_def_id,
       time_bucket(INTERVAL '1 day', bucket)                              AS bucket,
       sum(sample_count)::bigint                                          AS sample_count,
       sum(value_count)::bigint                                           AS value_count,
       sum(value_sum)                                                     AS value_sum,
       sum(value_sum_squares)                                             AS value_sum_squares,
       sum(value_sum) / nullif(sum(value_count), 0)::double precision     AS value_avg,
       min(value_min)                                                     AS value_min,
       max(value_max)                                                     AS value_max,
       sqrt(greatest(sum(value_sum_squares) - sum(value_sum) * sum(value_sum) / nullif(sum(value_count), 0)::double precision, 0)
            / nullif(greatest(sum(value_count) - 1, 0), 0)::double precision) AS value_stddev,
       last(last_real, bucket)                                            AS last_real,
       last(last_int, bucket)                                             AS last_int,
       sum(true_count)::bigint                                            AS true_count,
       sum(false_count)::bigint                                           AS false_count,
       max(last_sample_at)                                                AS last_sample_at
FROM factory_telemetry.metric_hist_1hour
GROUP BY metric_def_id, time_bucket(INTERVAL '1 day', bucket)
WITH NO DATA;
SELECT set_chunk_time_interval((SELECT format('%I.%I', a.materialization_hypertable_schema,
    a.materialization_hypertable_name)::regclass FROM timescaledb_information.continuous_aggregates a
    WHERE a.view_schema = 'factory_telemetry' AND a.view_name = 'metric_hist_1day'), INTERVAL '365 days');
COMMIT;

-- 05.metric_hist_1day.refresh -----------------------------------------------------------------------------------------
-- Fill metric_hist_1day
-- filled from the beginning, newest first
-- Lock: ROW EXCLUSIVE on the materialised rows of factory_telemetry.metric_hist_1day, for each piece; readers and
--   writers go on.
\echo 'Fill metric_hist_1day'
CALL refresh_continuous_aggregate('factory_telemetry.metric_hist_1day', NULL, now() - INTERVAL '1 day');

-- 05.metric_hist_1hour_percentiles.create -----------------------------------------------------------------------------
-- Create metric_hist_1hour_percentiles
-- Percentiles per metric and hour, from the raw samples: the p95 of a day is not the p95 of its hours, so other spans
--   ask metric_hist itself. Read from metric_hist, still empty.
-- Lock: SHARE ROW EXCLUSIVE on factory_telemetry.metric_hist, for a moment.
-- Undo: DROP MATERIALIZED VIEW factory_telemetry.metric_hist_1hour_percentiles;
\echo 'Create metric_hist_1hour_percentiles'
BEGIN;
CREATE MATERIALIZED VIEW factory_telemetry.metric_hist_1hour_percentiles
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT metric_def_id,
       time_bucket(INTERVAL '1 hour', ts)                                                   AS bucket,
       count(*)                                                                             AS value_count,
       percentile_cont(0.50) WITHIN GROUP (ORDER BY coalesce(value_real, value_int))        AS value_p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY coalesce(value_real, value_int))        AS value_p95,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY coalesce(value_real, value_int))        AS value_p99
FROM factory_telemetry.metric_hist
WHERE value_real IS NOT NULL OR value_int IS NOT NULL
GROUP BY metric_def_id, time_bucket(INTERVAL '1 hour', ts)
WITH NO DATA;
SELECT set_chunk_time_interval((SELECT format('%I.%I', a.materialization_hypertable_schema,
    a.materialization_hypertable_name)::regclass FROM timescaledb_information.continuous_aggregates a
    WHERE a.view_schema = 'factory_telemetry' AND a.view_name = 'metric_hist_1hour_percentiles'), INTERVAL '30 days');
COMMIT;

-- 05.metric_hist_1hour_percentiles.refresh ----------------------------------------------------------------------------
-- Fill metric_hist_1hour_percentiles
-- filled from the beginning, newest first
-- Lock: ROW EXCLUSIVE on the materialised rows of factory_telemetry.metric_hist_1hour_percentiles, for each piece;
--   readers and writers go on.
\echo 'Fill metric_hist_1hour_percentiles'
CALL refresh_continuous_aggregate('factory_telemetry.metric_hist_1hour_percentiles', NULL,
    now() - INTERVAL '1 hour');

-- 05.oee_hourly.create ------------------------------------------------------------------------------------------------
-- Create oee_hourly
-- OEE per line, equipment and hour. A measure can be NULL (no parts, so no quality), hence a count for each; sums in
--   double precision, as real they would lose digits. Read from oee_calculations, still empty.
-- Lock: SHARE ROW EXCLUSIVE on factory_telemetry.oee_calculations, for a moment.
-- Undo: DROP MATERIALIZED VIEW factory_telemetry.oee_hourly;
\echo 'Create oee_hourly'
BEGIN;
CREATE MATERIALIZED VIEW factory_telemetry.oee_hourly
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT line_id,
       equipment_code,
       time_bucket(INTERVAL '1 hour', calculation_time)                   AS bucket,
       count(*)                                                           AS calculation_count,
       count(oee)                                                         AS oee_count,
       sum(oee::double precision)                                         AS oee_sum,
       avg(oee::double precision)                                         AS oee_avg,
       min(oee)                                                           AS oee_min,
       max(oee)                                                           AS oee_max,
       count(availability)                                                AS availability_count,
       sum(availability::double precision)                                AS availability_sum,
       avg(availability::double precision)                                AS availability_avg,
       min(availability)                                                  AS availability_min,
       max(availability)                                                  AS availability_max,
       count(performance)                                                 AS performance_count,
       sum(performance::double precision)                                 AS performance_sum,
       avg(performance::double precision)                                 AS performance_avg,
       min(performance)                                                   AS performance_min,
       max(performance)                                                   AS performance_max,
       count(quality)                                                     AS quality_count,
       sum(quality::double precision)                                     AS quality_sum,
       avg(quality::double precision)                                     AS quality_avg,
       min(quality)                                                       AS quality_min,
       max(quality)                                                       AS quality_max,
       sum(good_parts)                                                    AS good_parts,
       sum(total_parts)                                                   AS total_parts,
       sum(planned_production_time)                                       AS planned_seconds,
       sum(actual_production_time)                                        AS actual_seconds,
       sum(planned_production_time - actual_production_time)              AS downtime_seconds
FROM factory_telemetry.oee_calculations
GROUP BY line_id, equipment_code, time_bucket(INTERVAL '1 hour', calculation_time)
WITH NO DATA;
SELECT set_chunk_time_interval((SELECT format('%I.%I', a.materialization_hypertable_schema,
    a.materialization_hypertable_name)::regclass FROM timescaledb_information.continuous_aggregates a
    WHERE a.view_schema = 'factory_telemetry' AND a.view_name = 'oee_hourly'), INTERVAL '30 days');
COMMIT;

-- 05.oee_hourly.refresh -----------------------------------------------------------------------------------------------
-- Fill oee_hourly
-- filled from the beginning, newest first
-- Lock: ROW EXCLUSIVE on the materialised rows of factory_telemetry.oee_hourly, for each piece; readers and writers go
--   on.
\echo 'Fill oee_hourly'
CALL refresh_continuous_aggregate('factory_telemetry.oee_hourly', NULL, now() - INTERVAL '1 hour');

-- 05.oee_daily.create -------------------------------------------------------------------------------------------------
-- Create oee_daily
-- OEE per line, equipment and day (UTC), combined from the hours; means are over the calculations of the day. Read from
--   oee_hourly, still empty.
-- Lock: SHARE ROW EXCLUSIVE on factory_telemetry.oee_hourly, for a moment.
-- Undo: DROP MATERIALIZED VIEW factory_telemetry.oee_daily;
\echo 'Create oee_daily'
BEGIN;
CREATE MATERIALIZED VIEW factory_telemetry.oee_daily
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT line_id,
       equipment_code,
       time_bucket(INTERVAL '1 day', bucket)                                          AS bucket,
       sum(calculation_count)::bigint                                                 AS calculation_count,
       sum(oee_count)::bigint                                                         AS oee_count,
       sum(oee_sum)                                                                   AS oee_sum,
       sum(oee_sum) / nullif(sum(oee_count), 0)::double precision                     AS oee_avg,
       min(oee_min)                                                                   AS oee_min,
       max(oee_max)                                                                   AS oee_max,
       sum(availability_count)::bigint                                                AS availability_count,
       sum(availability_sum)                                                          AS availability_sum,
       sum(availability_sum) / nullif(sum(availability_count), 0)::double precision   AS availability_avg,
       min(availability_min)                                                          AS availability_min,
       max(availability_max)                                                          AS availability_max,
       sum(performance_count)::bigint                                                 AS performance_count,
       sum(performance_sum)                                                           AS performance_sum,
       sum(performance_sum) / nullif(sum(performance_count), 0)::double precision     AS performance_avg,
       min(performance_min)                                                           AS performance_min,
       max(performance_max)                                                           AS performance_max,
       sum(quality_count)::bigint                                                     AS quality_count,
       sum(quality_sum)                                                               AS quality_sum,
       sum(quality_sum) / nullif(sum(quality_count), 0)::double precision             AS quality_avg,
       min(quality_min)                                                               AS quality_min,
       max(quality_max)                                                               AS quality_max,
       sum(good_parts)::bigint                                                        AS good_parts,
       sum(total_parts)::bigint                                                       AS total_parts,
       sum(planned_seconds)::bigint                                                   AS planned_seconds,
       sum(actual_seconds)::bigint                                                    AS actual_seconds,
       sum(downtime_seconds)::bigint                                                  AS downtime_seconds
FROM factory_telemetry.oee_hourly
GROUP BY line_id, equipment_code, time_bucket(INTERVAL '1 day', bucket)
WITH NO DATA;
SELECT set_chunk_time_interval((SELECT format('%I.%I', a.materialization_hypertable_schema,
    a.materialization_hypertable_name)::regclass FROM timescaledb_information.continuous_aggregates a
    WHERE a.view_schema = 'factory_telemetry' AND a.view_name = 'oee_daily'), INTERVAL '365 days');
COMMIT;

-- 05.oee_daily.refresh ------------------------------------------------------------------------------------------------
-- Fill oee_daily
-- filled from the beginning, newest first
-- Lock: ROW EXCLUSIVE on the materialised rows of factory_telemetry.oee_daily, for each piece; readers and writers go
--   on.
\echo 'Fill oee_daily'
CALL refresh_continuous_aggregate('factory_telemetry.oee_daily', NULL, now() - INTERVAL '1 day');

-- 05.oee_weekly.create ------------------------------------------------------------------------------------------------
-- Create oee_weekly
-- OEE per line, equipment and week (from Monday, UTC), combined from the days; means are over the calculations of the
--   week. Read from oee_daily, still empty.
-- Lock: SHARE ROW EXCLUSIVE on factory_telemetry.oee_daily, for a moment.
-- Undo: DROP MATERIALIZED VIEW factory_telemetry.oee_weekly;
\echo 'Create oee_weekly'
BEGIN;
CREATE MATERIALIZED VIEW factory_telemetry.oee_weekly
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT line_id,
       equipment_code,
       time_bucket(INTERVAL '7 days', bucket)                                         AS bucket,
       sum(calculation_count)::bigint                                                 AS calculation_count,
       sum(oee_count)::bigint                                                         AS oee_count,
       sum(oee_sum)                                                                   AS oee_sum,
       sum(oee_sum) / nullif(sum(oee_count), 0)::double precision                     AS oee_avg,
       min(oee_min)                                                                   AS oee_min,
       max(oee_max)                                                                   AS oee_max,
       sum(availability_count)::bigint                                                AS availability_count,
       sum(availability_sum)                                                          AS availability_sum,
       sum(availability_sum) / nullif(sum(availability_count), 0)::double precision   AS availability_avg,
       min(availability_min)                                                          AS availability_min,
       max(availability_max)                                                          AS availability_max,
       sum(performance_count)::bigint                                                 AS performance_count,
       sum(performance_sum)                                                           AS performance_sum,
       sum(performance_sum) / nullif(sum(performance_count), 0)::double precision     AS performance_avg,
       min(performance_min)                                                           AS performance_min,
       max(performance_max)                                                           AS performance_max,
       sum(quality_count)::bigint                                                     AS quality_count,
       sum(quality_sum)                                                               AS quality_sum,
       sum(quality_sum) / nullif(sum(quality_count), 0)::double precision             AS quality_avg,
       min(quality_min)                                                               AS quality_min,
       max(quality_max)                                                               AS quality_max,
       sum(good_parts)::bigint                                                        AS good_parts,
       sum(total_parts)::bigint                                                       AS total_parts,
       sum(planned_seconds)::bigint                                                   AS planned_seconds,
       sum(actual_seconds)::bigint                                                    AS actual_seconds,
       sum(downtime_seconds)::bigint                                                  AS downtime_seconds
FROM factory_telemetry.oee_daily
GROUP BY line_id, equipment_code, time_bucket(INTERVAL '7 days', bucket)
WITH NO DATA;
SELECT set_chunk_time_interval((SELECT format('%I.%I', a.materialization_hypertable_schema,
    a.materialization_hypertable_name)::regclass FROM timescaledb_information.continuous_aggregates a
    WHERE a.view_schema = 'factory_telemetry' AND a.view_name = 'oee_weekly'), INTERVAL '365 days');
COMMIT;

-- 05.oee_weekly.refresh -----------------------------------------------------------------------------------------------
-- Fill oee_weekly
-- filled from the beginning, newest first
-- Lock: ROW EXCLUSIVE on the materialised rows of factory_telemetry.oee_weekly, for each piece; readers and writers go
--   on.
\echo 'Fill oee_weekly'
CALL refresh_continuous_aggregate('factory_telemetry.oee_weekly', NULL, now() - INTERVAL '7 days');

-- 05.energy_hourly.create ---------------------------------------------------------------------------------------------
-- Create energy_hourly
-- Energy per meter and hour. Peak demand is the highest reading; the mean power factor is over readings, not weighted
--   by energy. Read from energy_consumption, still empty.
-- Lock: SHARE ROW EXCLUSIVE on factory_telemetry.energy_consumption, for a moment.
-- Undo: DROP MATERIALIZED VIEW factory_telemetry.energy_hourly;
\echo 'Create energy_hourly'
BEGIN;
CREATE MATERIALIZED VIEW factory_telemetry.energy_hourly
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT equipment_code,
       time_bucket(INTERVAL '1 hour', consumption_time)                   AS bucket,
       count(*)                                                           AS reading_count,
       count(energy_consumption_kwh)                                      AS energy_count,
       sum(energy_consumption_kwh::double precision)                      AS energy_kwh,
       avg(energy_consumption_kwh::double precision)                      AS energy_kwh_avg,
       count(power_consumption_kw)                                        AS power_count,
       sum(power_consumption_kw::double precision)                        AS power_kw_sum,
       avg(power_consumption_kw::double precision)                        AS power_kw_avg,
       min(power_consumption_kw)                                          AS power_kw_min,
       max(power_consumption_kw)                                          AS peak_demand_kw,
       count(power_factor)                                                AS power_factor_count,
       sum(power_factor::double precision)                                AS power_factor_sum,
       avg(power_factor::double precision)                                AS power_factor_avg,
       min(power_factor)                                                  AS power_factor_min
FROM factory_telemetry.energy_consumption
GROUP BY equipment_code, time_bucket(INTERVAL '1 hour', consumption_time)
WITH NO DATA;
SELECT set_chunk_time_interval((SELECT format('%I.%I', a.materialization_hypertable_schema,
    a.materialization_hypertable_name)::regclass FROM timescaledb_information.continuous_aggregates a
    WHERE a.view_schema = 'factory_telemetry' AND a.view_name = 'energy_hourly'), INTERVAL '30 days');
COMMIT;

-- 05.energy_hourly.refresh --------------------------------------------------------------------------------------------
-- Fill energy_hourly
-- filled from the beginning, newest first
-- Lock: ROW EXCLUSIVE on the materialised rows of factory_telemetry.energy_hourly, for each piece; readers and writers
--   go on.
\echo 'Fill energy_hourly'
CALL refresh_continuous_aggregate('factory_telemetry.energy_hourly', NULL, now() - INTERVAL '1 hour');

-- 05.energy_daily.create ----------------------------------------------------------------------------------------------
-- Create energy_daily
-- Energy per meter and day (UTC), combined from the hours. Peak demand is the highest reading. Read from energy_hourly,
--   still empty.
-- Lock: SHARE ROW EXCLUSIVE on factory_telemetry.energy_hourly, for a moment.
-- Undo: DROP MATERIALIZED VIEW factory_telemetry.energy_daily;
\echo 'Create energy_daily'
BEGIN;
CREATE MATERIALIZED VIEW factory_telemetry.energy_daily
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT equipment_code,
       time_bucket(INTERVAL '1 day', bucket)                                          AS bucket,
       sum(reading_count)::bigint                                                     AS reading_count,
       sum(energy_count)::bigint                                                      AS energy_count,
       sum(energy_kwh)                                                                AS energy_kwh,
       sum(energy_kwh) / nullif(sum(energy_count), 0)::double precision               AS energy_kwh_avg,
       sum(power_count)::bigint                                                       AS power_count,
       sum(power_kw_sum)                                                              AS power_kw_sum,
       sum(power_kw_sum) / nullif(sum(power_count), 0)::double precision              AS power_kw_avg,
       min(power_kw_min)                                                              AS power_kw_min,
       max(peak_demand_kw)                                                            AS peak_demand_kw,
       sum(power_factor_count)::bigint                                                AS power_factor_count,
       sum(power_factor_sum)                                                          AS power_factor_sum,
       sum(power_factor_sum) / nullif(sum(power_factor_count), 0)::double precision   AS power_factor_avg,
       min(power_factor_min)                                                          AS power_factor_min
FROM factory_telemetry.energy_hourly
GROUP BY equipment_code, time_bucket(INTERVAL '1 day', bucket)
WITH NO DATA;
SELECT set_chunk_time_interval((SELECT format('%I.%I', a.materialization_hypertable_schema,
    a.materialization_hypertable_name)::regclass FROM timescaledb_information.continuous_aggregates a
    WHERE a.view_schema = 'factory_telemetry' AND a.view_name = 'energy_daily'), INTERVAL '365 days');
COMMIT;

-- 05.energy_daily.refresh ---------------------------------------------------------------------------------------------
-- Fill energy_daily
-- filled from the beginning, newest first
-- Lock: ROW EXCLUSIVE on the materialised rows of factory_telemetry.energy_daily, for each piece; readers and writers
--   go on.
\echo 'Fill energy_daily'
CALL refresh_continuous_aggregate('factory_telemetry.energy_daily', NULL, now() - INTERVAL '1 day');

-- 05.metric_hist_1min.refresh_policy ----------------------------------------------------------------------------------
-- Refresh metric_hist_1min from 3 days ago every 1 minute
-- start_offset 3 days, end_offset 1 minute, every 1 minute
-- Lock: ROW EXCLUSIVE on TimescaleDB's table of jobs, for a moment.
-- Undo: SELECT remove_continuous_aggregate_policy('factory_telemetry.metric_hist_1min', if_exists => true);
\echo 'Refresh metric_hist_1min from 3 days ago every 1 minute'
BEGIN;
SELECT alter_job(add_continuous_aggregate_policy('factory_telemetry.metric_hist_1min',
    start_offset => INTERVAL '3 days', end_offset => INTERVAL '1 minute', schedule_interval => INTERVAL '1 minute'),
    schedule_interval => INTERVAL '1 minute', scheduled => true);
COMMIT;

-- 05.metric_hist_1hour.refresh_policy ---------------------------------------------------------------------------------
-- Refresh metric_hist_1hour from 7 days ago every 10 minutes
-- start_offset 7 days, end_offset 1 hour, every 10 minutes
-- Lock: ROW EXCLUSIVE on TimescaleDB's table of jobs, for a moment.
-- Undo: SELECT remove_continuous_aggregate_policy('factory_telemetry.metric_hist_1hour', if_exists => true);
\echo 'Refresh metric_hist_1hour from 7 days ago every 10 minutes'
BEGIN;
SELECT alter_job(add_continuous_aggregate_policy('factory_telemetry.metric_hist_1hour',
    start_offset => INTERVAL '7 days', end_offset => INTERVAL '1 hour', schedule_interval => INTERVAL '10 minutes'),
    schedule_interval => INTERVAL '10 minutes', scheduled => true);
COMMIT;

-- 05.metric_hist_1day.refresh_policy ----------------------------------------------------------------------------------
-- Refresh metric_hist_1day from 30 days ago every 1 hour
-- start_offset 30 days, end_offset 1 day, every 1 hour
-- Lock: ROW EXCLUSIVE on TimescaleDB's table of jobs, for a moment.
-- Undo: SELECT remove_continuous_aggregate_policy('factory_telemetry.metric_hist_1day', if_exists => true);
\echo 'Refresh metric_hist_1day from 30 days ago every 1 hour'
BEGIN;
SELECT alter_job(add_continuous_aggregate_policy('factory_telemetry.metric_hist_1day',
    start_offset => INTERVAL '30 days', end_offset => INTERVAL '1 day', schedule_interval => INTERVAL '1 hour'),
    schedule_interval => INTERVAL '1 hour', scheduled => true);
COMMIT;

-- 05.metric_hist_1hour_percentiles.refresh_policy ---------------------------------------------------------------------
-- Refresh metric_hist_1hour_percentiles from 7 days ago every 10 minutes
-- start_offset 7 days, end_offset 1 hour, every 10 minutes
-- Lock: ROW EXCLUSIVE on TimescaleDB's table of jobs, for a moment.
-- Undo: SELECT remove_continuous_aggregate_policy('factory_telemetry.metric_hist_1hour_percentiles', if_exists =>
--   true);
\echo 'Refresh metric_hist_1hour_percentiles from 7 days ago every 10 minutes'
BEGIN;
SELECT alter_job(add_continuous_aggregate_policy('factory_telemetry.metric_hist_1hour_percentiles',
    start_offset => INTERVAL '7 days', end_offset => INTERVAL '1 hour', schedule_interval => INTERVAL '10 minutes'),
    schedule_interval => INTERVAL '10 minutes', scheduled => true);
COMMIT;

-- 05.oee_hourly.refresh_policy ----------------------------------------------------------------------------------------
-- Refresh oee_hourly from 7 days ago every 10 minutes
-- start_offset 7 days, end_offset 1 hour, every 10 minutes
-- Lock: ROW EXCLUSIVE on TimescaleDB's table of jobs, for a moment.
-- Undo: SELECT remove_continuous_aggregate_policy('factory_telemetry.oee_hourly', if_exists => true);
\echo 'Refresh oee_hourly from 7 days ago every 10 minutes'
BEGIN;
SELECT alter_job(add_continuous_aggregate_policy('factory_telemetry.oee_hourly', start_offset => INTERVAL '7 days',
    end_offset => INTERVAL '1 hour', schedule_interval => INTERVAL '10 minutes'),
    schedule_interval => INTERVAL '10 minutes', scheduled => true);
COMMIT;

-- 05.oee_daily.refresh_policy -----------------------------------------------------------------------------------------
-- Refresh oee_daily from 30 days ago every 1 hour
-- start_offset 30 days, end_offset 1 day, every 1 hour
-- Lock: ROW EXCLUSIVE on TimescaleDB's table of jobs, for a moment.
-- Undo: SELECT remove_continuous_aggregate_policy('factory_telemetry.oee_daily', if_exists => true);
\echo 'Refresh oee_daily from 30 days ago every 1 hour'
BEGIN;
SELECT alter_job(add_continuous_aggregate_policy('factory_telemetry.oee_daily', start_offset => INTERVAL '30 days',
    end_offset => INTERVAL '1 day', schedule_interval => INTERVAL '1 hour'), schedule_interval => INTERVAL '1 hour',
    scheduled => true);
COMMIT;

-- 05.oee_weekly.refresh_policy ----------------------------------------------------------------------------------------
-- Refresh oee_weekly from 56 days ago every 1 hour
-- start_offset 56 days, end_offset 7 days, every 1 hour
-- Lock: ROW EXCLUSIVE on TimescaleDB's table of jobs, for a moment.
-- Undo: SELECT remove_continuous_aggregate_policy('factory_telemetry.oee_weekly', if_exists => true);
\echo 'Refresh oee_weekly from 56 days ago every 1 hour'
BEGIN;
SELECT alter_job(add_continuous_aggregate_policy('factory_telemetry.oee_weekly',
    start_offset => INTERVAL '56 days', end_offset => INTERVAL '7 days', schedule_interval => INTERVAL '1 hour'),
    schedule_interval => INTERVAL '1 hour', scheduled => true);
COMMIT;

-- 05.energy_hourly.refresh_policy -------------------------------------------------------------------------------------
-- Refresh energy_hourly from 7 days ago every 10 minutes
-- start_offset 7 days, end_offset 1 hour, every 10 minutes
-- Lock: ROW EXCLUSIVE on TimescaleDB's table of jobs, for a moment.
-- Undo: SELECT remove_continuous_aggregate_policy('factory_telemetry.energy_hourly', if_exists => true);
\echo 'Refresh energy_hourly from 7 days ago every 10 minutes'
BEGIN;
SELECT alter_job(add_continuous_aggregate_policy('factory_telemetry.energy_hourly',
    start_offset => INTERVAL '7 days', end_offset => INTERVAL '1 hour', schedule_interval => INTERVAL '10 minutes'),
    schedule_interval => INTERVAL '10 minutes', scheduled => true);
COMMIT;

-- 05.energy_daily.refresh_policy --------------------------------------------------------------------------------------
-- Refresh energy_daily from 30 days ago every 1 hour
-- start_offset 30 days, end_offset 1 day, every 1 hour
-- Lock: ROW EXCLUSIVE on TimescaleDB's table of jobs, for a moment.
-- Undo: SELECT remove_continuous_aggregate_policy('factory_telemetry.energy_daily', if_exists => true);
\echo 'Refresh energy_daily from 30 days ago every 1 hour'
BEGIN;
SELECT alter_job(add_continuous_aggregate_policy('factory_telemetry.energy_daily',
    start_offset => INTERVAL '30 days', end_offset => INTERVAL '1 day', schedule_interval => INTERVAL '1 hour'),
    schedule_interval => INTERVAL '1 hour', scheduled => true);
COMMIT;
