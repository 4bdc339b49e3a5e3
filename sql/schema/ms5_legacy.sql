-- MS5.0 as most installations are found: five plain tables with PRIMARY KEY (id) alone.
--
-- With that key create_hypertable refuses ("cannot create a unique index without the column ... (used in
-- partitioning)"), so none of them is a hypertable, whatever the migrations' log says.
-- production_kpis.created_at and production_context_history.changed_at are nullable.
-- Run after ms5_tables.sql, before or after the data; ms5_foreign_keys.sql follows.

ALTER TABLE factory_telemetry.metric_hist ADD PRIMARY KEY (id);
ALTER TABLE factory_telemetry.oee_calculations ADD PRIMARY KEY (id);
ALTER TABLE factory_telemetry.energy_consumption ADD PRIMARY KEY (id);
ALTER TABLE factory_telemetry.production_kpis ADD PRIMARY KEY (id);
ALTER TABLE factory_telemetry.production_context_history ADD PRIMARY KEY (id);
