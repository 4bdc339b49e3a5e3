-- MS5.0, the index and the foreign keys that both kinds of installation have.
-- Run last: after the data, so that keys are checked in one pass instead of row by row.

CREATE INDEX ix_metric_hist_def_ts ON factory_telemetry.metric_hist (metric_def_id, ts DESC);

ALTER TABLE factory_telemetry.metric_hist
    ADD CONSTRAINT metric_hist_metric_def_id_fkey
    FOREIGN KEY (metric_def_id) REFERENCES factory_telemetry.metric_def (id) ON DELETE CASCADE;

ALTER TABLE factory_telemetry.oee_calculations
    ADD CONSTRAINT oee_calculations_line_id_fkey
    FOREIGN KEY (line_id) REFERENCES factory_telemetry.production_lines (id);

ALTER TABLE factory_telemetry.production_context_history
    ADD CONSTRAINT production_context_history_changed_by_fkey
    FOREIGN KEY (changed_by) REFERENCES factory_telemetry.users (id);
