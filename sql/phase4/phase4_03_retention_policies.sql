-- Phase 4, step 3 of 5: retention policies, and the view that shows what they do
--
--   psql -X -v ON_ERROR_STOP=1 -f sql/phase4/phase4_03_retention_policies.sql
--
-- THIS DELETES DATA, later and for good: chunks whose newest row is older than the period are dropped. The first run is
-- at 02:00 UTC, at least a day away, so that step 5 has carried the old rows into the aggregates by then. Aggregates have
-- no retention of their own here: they stay.
-- May be run again: a policy with another period is replaced. Needs step 1. Run as the tables' owner.

CREATE OR REPLACE PROCEDURE factory_telemetry.phase4_retain(relation regclass, keep_for interval, first_run timestamptz)
LANGUAGE plpgsql AS $procedure$
DECLARE
    job     integer;
    present interval;
BEGIN
    PERFORM set_config('lock_timeout', '3s', true);

    SELECT j.job_id, (j.config ->> 'drop_after')::interval INTO job, present
    FROM timescaledb_information.jobs j
    WHERE j.proc_name = 'policy_retention'
      AND format('%I.%I', j.hypertable_schema, j.hypertable_name)::regclass = relation;

    IF job IS NOT NULL AND present IS DISTINCT FROM keep_for THEN
        PERFORM remove_retention_policy(relation);
        RAISE NOTICE '%: retention of % replaces %', relation, keep_for, present;
        job := NULL;
    END IF;
    IF job IS NULL THEN
        -- With initial_start the schedule is fixed: it stays off-peak and does not drift by each run's duration.
        job := add_retention_policy(relation, keep_for, schedule_interval => INTERVAL '1 day', initial_start => first_run);
    END IF;
    PERFORM alter_job(job, schedule_interval => INTERVAL '1 day', max_runtime => INTERVAL '1 hour',
                      retry_period => INTERVAL '6 hours', scheduled => true);
END
$procedure$;

-- Ten minutes apart: dropping chunks locks the tables that foreign keys point to.
--                                    table                                           keep for             first run
CALL factory_telemetry.phase4_retain('factory_telemetry.metric_hist',                INTERVAL '90 days',  date_trunc('day', now(), 'UTC') + INTERVAL '2 days 02:00');
CALL factory_telemetry.phase4_retain('factory_telemetry.oee_calculations',           INTERVAL '365 days', date_trunc('day', now(), 'UTC') + INTERVAL '2 days 02:10');
CALL factory_telemetry.phase4_retain('factory_telemetry.energy_consumption',         INTERVAL '365 days', date_trunc('day', now(), 'UTC') + INTERVAL '2 days 02:20');
CALL factory_telemetry.phase4_retain('factory_telemetry.production_kpis',            INTERVAL '365 days', date_trunc('day', now(), 'UTC') + INTERVAL '2 days 02:30');
CALL factory_telemetry.phase4_retain('factory_telemetry.production_context_history', INTERVAL '730 days', date_trunc('day', now(), 'UTC') + INTERVAL '2 days 02:40');

DROP PROCEDURE factory_telemetry.phase4_retain(regclass, interval, timestamptz);

-- Dropped, not replaced: CREATE OR REPLACE VIEW refuses when an earlier version had other columns.
DROP VIEW IF EXISTS factory_telemetry.v_retention_status;

-- One row per hypertable of MS5.0. Sizes: uncompressed chunks as they are now, compressed ones as recorded when they were
-- compressed (reading each live costs a second or more with thousands of chunks). Times are NULL before the first run.
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
