-- name: recent_data
-- about: The recent-data query of the criteria: one metric, the last hour, newest first.
-- timescaledb: >=2.11
-- params: entity, newest
-- columns: ts timestamptz; value_real float8
-- budget_ms: 100
SELECT ts, value_real
FROM {schema}.metric_hist
WHERE metric_def_id = CAST(:entity AS uuid) AND ts > CAST(:newest AS timestamptz) - interval '1 hour'
    AND ts <= CAST(:newest AS timestamptz)
ORDER BY ts DESC
