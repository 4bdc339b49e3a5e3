-- name: aggregate_data
-- about: The aggregate query of the criteria: one metric, a day of hourly values.
-- timescaledb: >=2.11
-- params: entity, newest
-- columns: bucket timestamptz; sample_count bigint
-- budget_ms: 50
SELECT *
FROM {schema}.metric_hist_1hour
WHERE metric_def_id = CAST(:entity AS uuid) AND bucket > CAST(:newest AS timestamptz) - interval '1 day'
    AND bucket <= CAST(:newest AS timestamptz)
ORDER BY bucket DESC
