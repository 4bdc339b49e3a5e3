-- MS5.0 as the second kind of installation is found: hypertables with PRIMARY KEY (id, <time column>),
-- the default 7-day chunks and the default index on time.
-- Run after ms5_tables.sql, before or after the data; ms5_foreign_keys.sql follows.

ALTER TABLE factory_telemetry.metric_hist ADD PRIMARY KEY (id, ts);
ALTER TABLE factory_telemetry.oee_calculations ADD PRIMARY KEY (id, calculation_time);
ALTER TABLE factory_telemetry.energy_consumption ADD PRIMARY KEY (id, consumption_time);
ALTER TABLE factory_telemetry.production_kpis ADD PRIMARY KEY (id, created_at);
ALTER TABLE factory_telemetry.production_context_history ADD PRIMARY KEY (id, changed_at);

SELECT create_hypertable('factory_telemetry.metric_hist', 'ts',
                         chunk_time_interval => INTERVAL '7 days', migrate_data => true);
SELECT create_hypertable('factory_telemetry.oee_calculations', 'calculation_time',
                         chunk_time_interval => INTERVAL '7 days', migrate_data => true);
SELECT create_hypertable('factory_telemetry.energy_consumption', 'consumption_time',
                         chunk_time_interval => INTERVAL '7 days', migrate_data => true);
SELECT create_hypertable('factory_telemetry.production_kpis', 'created_at',
                         chunk_time_interval => INTERVAL '7 days', migrate_data => true);
SELECT create_hypertable('factory_telemetry.production_context_history', 'changed_at',
                         chunk_time_interval => INTERVAL '7 days', migrate_data => true);
