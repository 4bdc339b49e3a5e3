-- name: recent_entity
-- about: An entity (a metric, a device) with recent rows, and the newest instant that holds any, within the days before now; no row where there is none.
-- timescaledb: >=2.11
-- params: within
-- columns: entity text; newest timestamptz
-- budget_ms: 100
SELECT {entity}::text AS entity, {time} AS newest
FROM {relation}
WHERE {time} > now() - CAST(:within AS interval) AND {time} <= now() AND {entity} IS NOT NULL
ORDER BY {time} DESC
LIMIT 1
