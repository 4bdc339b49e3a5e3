-- A small database that holds what readings stumble over: every kind of table, a dropped column, a colon and a quote in a
-- name, a second dimension, an integer time, a partial chunk, NULL and foreign job configs, a two-level aggregate.
CREATE SCHEMA factory_telemetry;
SET search_path = factory_telemetry, public;

CREATE TABLE metric_hist (
    id bigserial, gone integer, metric_def_id uuid NOT NULL, ts timestamptz NOT NULL, value_real double precision,
    PRIMARY KEY (id, ts)
);
ALTER TABLE metric_hist DROP COLUMN gone;
SELECT create_hypertable('metric_hist', 'ts', chunk_time_interval => interval '1 day');
CREATE INDEX ix_metric_hist_def_ts ON metric_hist (metric_def_id, ts DESC);
CREATE INDEX idx_metric_hist_high ON metric_hist (ts DESC) WHERE value_real > 0.9;
CREATE INDEX idx_metric_hist_ts_brin ON metric_hist USING brin (ts);
INSERT INTO metric_hist (metric_def_id, ts, value_real)
SELECT ('00000000-0000-0000-0000-00000000000' || m)::uuid, date_trunc('day', now()) - interval '10 days' + n * interval '10 minutes',
    (n % 100) / 100.0
FROM generate_series(0, 1439) n, generate_series(1, 3) m;
ALTER TABLE metric_hist SET (
    timescaledb.compress, timescaledb.compress_segmentby = 'metric_def_id', timescaledb.compress_orderby = 'ts DESC'
);
SELECT compress_chunk(c) FROM show_chunks('metric_hist', older_than => interval '4 days') c;
INSERT INTO metric_hist (metric_def_id, ts, value_real)
VALUES ('00000000-0000-0000-0000-000000000001', date_trunc('day', now()) - interval '9 days' + interval '5 minutes', 0.5);
SELECT add_compression_policy('metric_hist', interval '3 days', initial_start => now() + interval '1 day');
SELECT add_retention_policy('metric_hist', interval '90 days');

CREATE MATERIALIZED VIEW metric_hist_1hour WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT metric_def_id, time_bucket('1 hour', ts) AS bucket, avg(value_real) AS average, count(*) AS samples
FROM metric_hist GROUP BY 1, 2 WITH NO DATA;
CREATE MATERIALIZED VIEW metric_hist_1day WITH (timescaledb.continuous) AS
SELECT metric_def_id, time_bucket('1 day', bucket) AS day, sum(samples) AS samples
FROM metric_hist_1hour GROUP BY 1, 2 WITH NO DATA;
CALL refresh_continuous_aggregate('metric_hist_1hour', NULL, now() - interval '1 hour');
SELECT add_continuous_aggregate_policy('metric_hist_1hour', interval '3 days', interval '1 hour', interval '10 minutes');
SELECT add_continuous_aggregate_policy('metric_hist_1day', NULL, interval '1 day', interval '1 hour');

CREATE TABLE oee_calculations (id bigserial PRIMARY KEY, line_id uuid, calculation_time timestamptz NOT NULL, oee real);
INSERT INTO oee_calculations (calculation_time, oee) SELECT now() - n * interval '1 hour', 0.8 FROM generate_series(1, 500) n;
CREATE INDEX idx_oee_low ON oee_calculations (calculation_time DESC) WHERE oee < 0.8;

CREATE TABLE energy_consumption (id bigserial, equipment_code text, consumption_time timestamptz NOT NULL);
SELECT create_hypertable('energy_consumption', 'consumption_time', 'equipment_code', 2, chunk_time_interval => interval '7 days');
INSERT INTO energy_consumption (equipment_code, consumption_time)
SELECT 'E' || n % 5, now() - n * interval '1 hour' FROM generate_series(1, 500) n;

CREATE SCHEMA "odd schema";
CREATE TABLE "odd schema"."it's: odd" ("at: time" timestamp NOT NULL, v integer);
SELECT create_hypertable('"odd schema"."it''s: odd"', 'at: time');
INSERT INTO "odd schema"."it's: odd" SELECT now() - n * interval '1 day', n FROM generate_series(1, 30) n;
CREATE TABLE counted (tick bigint NOT NULL, v integer);
SELECT create_hypertable('counted', 'tick', chunk_time_interval => 1000);
INSERT INTO counted SELECT n, n FROM generate_series(1, 2500) n;
CREATE TABLE empty_one (at timestamptz NOT NULL);
SELECT create_hypertable('empty_one', 'at');

CREATE PROCEDURE own_job(job_id integer, config jsonb) LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
SELECT add_job('own_job', '1 hour', config => NULL);
SELECT add_job('own_job', '1 day', config => '{"drop_after": 5, "note": "own meaning"}');
ANALYZE;
