-- Phase 4, step 5 of 5: continuous aggregates, their first filling and their refresh policies
--
--   psql -X -v ON_ERROR_STOP=1 -f sql/phase4/phase4_05_continuous_aggregates.sql
--
-- Outside a transaction (a refresh cannot run inside one). May be run again: aggregates that exist are kept as they are, and
-- are then refreshed only as far back as their policy reaches; policies with other arguments are replaced.
-- Needs step 1. Run as the tables' owner. The first filling reads all raw data once: minutes for tens of millions of rows.
--
--   metric_hist        -> metric_hist_1min -> metric_hist_1hour -> metric_hist_1day
--                      -> metric_hist_1hour_percentiles
--   oee_calculations   -> oee_hourly       -> oee_daily         -> oee_weekly
--   energy_consumption -> energy_hourly    -> energy_daily
--
-- Buckets are in UTC; weeks begin on Monday. Each level carries what combines exactly (count, sum, sum of squares, min, max,
-- last) and derives the mean and the standard deviation from these: an average of averages would be wrong wherever buckets
-- hold unequal counts. Percentiles do not combine at all, so they are taken from the raw samples, at the hour.
--
-- Every aggregate has materialized_only = false: what the policy has not reached yet is computed when it is read.

-- metric_hist ---------------------------------------------------------------------------------------------------------
-- "value" is the sample as a number (REAL or INT metrics). TEXT and JSON metrics count as samples only.

CREATE MATERIALIZED VIEW IF NOT EXISTS factory_telemetry.metric_hist_1min
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

CREATE MATERIALIZED VIEW IF NOT EXISTS factory_telemetry.metric_hist_1hour
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

CREATE MATERIALIZED VIEW IF NOT EXISTS factory_telemetry.metric_hist_1day
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

-- From the raw samples. The p95 of a day is not the p95 of its hours: for other spans ask metric_hist itself.
CREATE MATERIALIZED VIEW IF NOT EXISTS factory_telemetry.metric_hist_1hour_percentiles
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

-- oee_calculations ----------------------------------------------------------------------------------------------------
-- Means are over the calculations of a bucket. A measure can be NULL (no parts, so no quality), hence a count for each.
-- Sums are taken in double precision: summed as real they would lose digits.

CREATE MATERIALIZED VIEW IF NOT EXISTS factory_telemetry.oee_hourly
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

CREATE MATERIALIZED VIEW IF NOT EXISTS factory_telemetry.oee_daily
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

CREATE MATERIALIZED VIEW IF NOT EXISTS factory_telemetry.oee_weekly
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

-- energy_consumption --------------------------------------------------------------------------------------------------
-- Peak demand is the highest reading. The mean power factor is over readings, not weighted by energy.

CREATE MATERIALIZED VIEW IF NOT EXISTS factory_telemetry.energy_hourly
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

CREATE MATERIALIZED VIEW IF NOT EXISTS factory_telemetry.energy_daily
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

-- Chunks of the aggregates --------------------------------------------------------------------------------------------
-- By default ten times the source's: ten hours for metric_hist_1min, so 876 chunks a year. These hold some ten thousand to a
-- million rows each. Set before the first filling; later it would apply to future chunks only. By way of the materialised
-- hypertable, because before 2.12 set_chunk_time_interval does not take the aggregate's name.

SELECT a.view_name, want.chunk_interval,
       set_chunk_time_interval(format('%I.%I', a.materialization_hypertable_schema, a.materialization_hypertable_name)::regclass,
                               want.chunk_interval)
FROM timescaledb_information.continuous_aggregates a
JOIN (VALUES ('metric_hist_1min',              INTERVAL '1 day'),
             ('metric_hist_1hour',             INTERVAL '30 days'),
             ('metric_hist_1hour_percentiles', INTERVAL '30 days'),
             ('metric_hist_1day',              INTERVAL '365 days'),
             ('oee_hourly',                    INTERVAL '30 days'),
             ('oee_daily',                     INTERVAL '365 days'),
             ('oee_weekly',                    INTERVAL '365 days'),
             ('energy_hourly',                 INTERVAL '30 days'),
             ('energy_daily',                  INTERVAL '365 days')) AS want(view_name, chunk_interval) USING (view_name)
WHERE a.view_schema = 'factory_telemetry';

-- First filling -------------------------------------------------------------------------------------------------------
-- Bottom up, and before the policies, which would run into it. An aggregate that holds data already is refreshed only as far
-- back as its policy reaches: once retention has dropped raw chunks, a full refresh would DELETE what was aggregated from them.

CREATE OR REPLACE FUNCTION factory_telemetry.phase4_refresh_from(aggregate name, policy_start_offset interval)
RETURNS timestamptz LANGUAGE sql STABLE AS $function$
    SELECT CASE WHEN EXISTS (
        SELECT FROM timescaledb_information.continuous_aggregates a
        JOIN timescaledb_information.chunks c
          ON c.hypertable_schema = a.materialization_hypertable_schema
         AND c.hypertable_name = a.materialization_hypertable_name
        WHERE a.view_schema = 'factory_telemetry' AND a.view_name = aggregate)
    THEN now() - policy_start_offset END;               -- NULL: from the beginning
$function$;

CALL refresh_continuous_aggregate('factory_telemetry.metric_hist_1min',
    factory_telemetry.phase4_refresh_from('metric_hist_1min', INTERVAL '3 days'), now() - INTERVAL '1 minute');
CALL refresh_continuous_aggregate('factory_telemetry.metric_hist_1hour',
    factory_telemetry.phase4_refresh_from('metric_hist_1hour', INTERVAL '7 days'), now() - INTERVAL '1 hour');
CALL refresh_continuous_aggregate('factory_telemetry.metric_hist_1day',
    factory_telemetry.phase4_refresh_from('metric_hist_1day', INTERVAL '30 days'), now() - INTERVAL '1 day');
CALL refresh_continuous_aggregate('factory_telemetry.metric_hist_1hour_percentiles',
    factory_telemetry.phase4_refresh_from('metric_hist_1hour_percentiles', INTERVAL '7 days'), now() - INTERVAL '1 hour');
CALL refresh_continuous_aggregate('factory_telemetry.oee_hourly',
    factory_telemetry.phase4_refresh_from('oee_hourly', INTERVAL '7 days'), now() - INTERVAL '1 hour');
CALL refresh_continuous_aggregate('factory_telemetry.oee_daily',
    factory_telemetry.phase4_refresh_from('oee_daily', INTERVAL '30 days'), now() - INTERVAL '1 day');
CALL refresh_continuous_aggregate('factory_telemetry.oee_weekly',
    factory_telemetry.phase4_refresh_from('oee_weekly', INTERVAL '56 days'), now() - INTERVAL '7 days');
CALL refresh_continuous_aggregate('factory_telemetry.energy_hourly',
    factory_telemetry.phase4_refresh_from('energy_hourly', INTERVAL '7 days'), now() - INTERVAL '1 hour');
CALL refresh_continuous_aggregate('factory_telemetry.energy_daily',
    factory_telemetry.phase4_refresh_from('energy_daily', INTERVAL '30 days'), now() - INTERVAL '1 day');

DROP FUNCTION factory_telemetry.phase4_refresh_from(name, interval);

-- Refresh policies ----------------------------------------------------------------------------------------------------
-- Two rules hold for every line of the table below:
--   start_offset + schedule_interval <= the retention period of the source (90 days for metric_hist, 365 days for
--     oee_calculations and energy_consumption; the aggregates in between keep everything). A window that reaches past
--     dropped chunks would erase what was aggregated from them;
--   start_offset - end_offset covers at least two buckets, or the server refuses the policy.
-- Samples that arrive later than start_offset stay out of the aggregate until someone refreshes that span by hand.

CREATE OR REPLACE PROCEDURE factory_telemetry.phase4_refresh_policy(
    aggregate name, start_offset interval, end_offset interval, schedule_interval interval)
LANGUAGE plpgsql AS $procedure$
DECLARE
    relation regclass := format('factory_telemetry.%I', aggregate)::regclass;
    job      record;
BEGIN
    -- The jobs view names the aggregate or its materialised hypertable, depending on the version.
    SELECT j.job_id, j.schedule_interval, j.config INTO job
    FROM timescaledb_information.jobs j
    JOIN timescaledb_information.continuous_aggregates a
      ON (j.hypertable_schema, j.hypertable_name) IN ((a.view_schema, a.view_name),
             (a.materialization_hypertable_schema, a.materialization_hypertable_name))
    WHERE j.proc_name = 'policy_refresh_continuous_aggregate'
      AND a.view_schema = 'factory_telemetry' AND a.view_name = aggregate;

    IF FOUND AND ((job.config ->> 'start_offset')::interval, (job.config ->> 'end_offset')::interval, job.schedule_interval)
                 IS DISTINCT FROM (start_offset, end_offset, schedule_interval) THEN
        PERFORM remove_continuous_aggregate_policy(relation);
        RAISE NOTICE '%: another refresh policy is replaced: % every %', aggregate, job.config, job.schedule_interval;
        job.job_id := NULL;
    END IF;
    IF job.job_id IS NULL THEN
        PERFORM add_continuous_aggregate_policy(relation, start_offset => start_offset, end_offset => end_offset,
                                                schedule_interval => schedule_interval);
    ELSE
        PERFORM alter_job(job.job_id, scheduled => true);
    END IF;
END
$procedure$;

--                                            aggregate                         start offset        end offset           every
CALL factory_telemetry.phase4_refresh_policy('metric_hist_1min',               INTERVAL '3 days',  INTERVAL '1 minute', INTERVAL '1 minute');
CALL factory_telemetry.phase4_refresh_policy('metric_hist_1hour',              INTERVAL '7 days',  INTERVAL '1 hour',   INTERVAL '10 minutes');
CALL factory_telemetry.phase4_refresh_policy('metric_hist_1day',               INTERVAL '30 days', INTERVAL '1 day',    INTERVAL '1 hour');
CALL factory_telemetry.phase4_refresh_policy('metric_hist_1hour_percentiles',  INTERVAL '7 days',  INTERVAL '1 hour',   INTERVAL '10 minutes');
CALL factory_telemetry.phase4_refresh_policy('oee_hourly',                     INTERVAL '7 days',  INTERVAL '1 hour',   INTERVAL '10 minutes');
CALL factory_telemetry.phase4_refresh_policy('oee_daily',                      INTERVAL '30 days', INTERVAL '1 day',    INTERVAL '1 hour');
CALL factory_telemetry.phase4_refresh_policy('oee_weekly',                     INTERVAL '56 days', INTERVAL '7 days',   INTERVAL '1 hour');
CALL factory_telemetry.phase4_refresh_policy('energy_hourly',                  INTERVAL '7 days',  INTERVAL '1 hour',   INTERVAL '10 minutes');
CALL factory_telemetry.phase4_refresh_policy('energy_daily',                   INTERVAL '30 days', INTERVAL '1 day',    INTERVAL '1 hour');

-- The aggregates themselves are neither compressed nor dropped. Where metric_hist_1min grows too large:
--   ALTER MATERIALIZED VIEW factory_telemetry.metric_hist_1min SET (timescaledb.compress = true);
--   SELECT add_compression_policy('factory_telemetry.metric_hist_1min', compress_after => INTERVAL '30 days');

DROP PROCEDURE factory_telemetry.phase4_refresh_policy(name, interval, interval, interval);
