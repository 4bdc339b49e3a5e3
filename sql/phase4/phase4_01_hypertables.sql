-- Phase 4, step 1 of 5: hypertables with the planned chunk intervals
--
--   psql -X -v ON_ERROR_STOP=1 -f sql/phase4/phase4_01_hypertables.sql
--
-- Starts from any mix of the two states MS5.0 is found in, and may be run again:
--   a plain table with PRIMARY KEY (id)   becomes a hypertable with PRIMARY KEY (id, <time column>);
--   a hypertable                          gets the chunk interval for its FUTURE chunks only: existing chunks
--                                         keep their range until retention drops them.
-- Needs TimescaleDB 2.11 or later. Run as the tables' owner, outside a transaction, in the maintenance window.
--
-- What to expect: a conversion copies the table under an ACCESS EXCLUSIVE lock, so it is unreadable meanwhile and
-- needs free disk of about its own size. One transaction per table: what fails leaves that table as it was.
-- The lock table must hold every new chunk and each of its indexes: with 1-hour chunks, 90 days are 2,160 chunks and
-- about 6,500 locks, against max_locks_per_transaction * (max_connections + max_prepared_transactions).
-- A backup comes first. There is no undo in place: the way back is a copy into a plain table.

CREATE OR REPLACE PROCEDURE factory_telemetry.phase4_to_hypertable(
    relation regclass, time_column name, chunk_interval interval)
LANGUAGE plpgsql AS $procedure$
DECLARE
    present    interval;
    missing    bigint;
    key_name   name;
    key_column name[];
BEGIN
    -- Give up rather than queue behind a long query, with every later query queueing behind us.
    PERFORM set_config('lock_timeout', '3s', true);

    SELECT d.time_interval INTO present
    FROM timescaledb_information.dimensions d
    WHERE format('%I.%I', d.hypertable_schema, d.hypertable_name)::regclass = relation
      AND d.dimension_number = 1;

    IF FOUND THEN
        IF present IS DISTINCT FROM chunk_interval THEN
            PERFORM set_chunk_time_interval(relation, chunk_interval);
            RAISE NOTICE '%: new chunks span % (until now %)', relation, chunk_interval, present;
        END IF;
        RETURN;
    END IF;

    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', relation);

    -- created_at and changed_at may be NULL. Which chunk such a row belongs to is not for a script to guess.
    EXECUTE format('SELECT count(*) FROM %s WHERE %I IS NULL', relation, time_column) INTO missing;
    IF missing > 0 THEN
        RAISE EXCEPTION '% rows of % have no %', missing, relation, time_column
            USING HINT = 'Give these rows a time, or move them to another table, and run this script again.';
    END IF;

    -- Every unique index of a hypertable must contain the time column.
    SELECT c.conname, array_agg(a.attname ORDER BY k.place) INTO key_name, key_column
    FROM pg_constraint c
    CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k(attnum, place)
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum
    WHERE c.conrelid = relation AND c.contype = 'p'
    GROUP BY c.conname;

    IF key_column IS DISTINCT FROM ARRAY['id', time_column] THEN
        IF key_name IS NOT NULL THEN
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', relation, key_name);
        END IF;
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', relation, time_column);
        -- Before the conversion: added to a hypertable of many chunks it takes far more memory.
        EXECUTE format('ALTER TABLE %s ADD PRIMARY KEY (id, %I)', relation, time_column);
    END IF;

    -- Without the default index on time: step 4 builds what is needed, and every index counts once per chunk.
    PERFORM create_hypertable(relation, time_column, chunk_time_interval => chunk_interval,
                              migrate_data => true, create_default_indexes => false);
    RAISE NOTICE '%: now a hypertable, chunks of %', relation, chunk_interval;
END
$procedure$;

--                                           table                                           time column         chunk
CALL factory_telemetry.phase4_to_hypertable('factory_telemetry.metric_hist',                'ts',               INTERVAL '1 hour');
CALL factory_telemetry.phase4_to_hypertable('factory_telemetry.oee_calculations',           'calculation_time', INTERVAL '1 day');
CALL factory_telemetry.phase4_to_hypertable('factory_telemetry.energy_consumption',         'consumption_time', INTERVAL '1 day');
CALL factory_telemetry.phase4_to_hypertable('factory_telemetry.production_kpis',            'created_at',       INTERVAL '1 day');
CALL factory_telemetry.phase4_to_hypertable('factory_telemetry.production_context_history', 'changed_at',       INTERVAL '1 day');

-- For the administrator. These need a restart, so neither this script nor ALTER DATABASE can set them:
--   ALTER SYSTEM SET timescaledb.max_background_workers = 8;    -- at least; one per job that runs at the same time
--   ALTER SYSTEM SET max_worker_processes = 19;                 -- 3 + background workers + parallel workers
--   ALTER SYSTEM SET max_locks_per_transaction = 256;           -- see the lock table above
-- This one needs a superuser and a reload (2.15 and later: job_history then records successes too):
--   ALTER SYSTEM SET timescaledb.enable_job_execution_logging = on;
--   SELECT pg_reload_conf();
-- These may be set per database by its owner; effective_cache_size is 75 % of the machine's memory:
--   ALTER DATABASE factory_telemetry SET max_parallel_workers_per_gather = 4;
--   ALTER DATABASE factory_telemetry SET random_page_cost = 1.1;
--   ALTER DATABASE factory_telemetry SET effective_cache_size = '12GB';
--   ALTER DATABASE factory_telemetry SET jit = off;             -- up to 7x on wide raw queries over many chunks

DROP PROCEDURE factory_telemetry.phase4_to_hypertable(regclass, name, interval);
