-- name: recent_entity
-- about: A metric with recent rows, and the newest instant that holds any, within the days before now; no row where there is none.
-- timescaledb: >=2.11
-- params: within
-- columns: entity text; newest timestamptz
-- budget_ms: 100
SELECT metric_def_id::text AS entity, ts AS newest
FROM {schema}.metric_hist
WHERE ts > now() - CAST(:within AS interval) AND ts <= now()
ORDER BY ts DESC
LIMIT 1
