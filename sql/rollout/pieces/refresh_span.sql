-- name: refresh_span
-- about: From when to when an aggregate can be refreshed from what its source holds; since is NULL where that has no chunk.
-- timescaledb: >=2.11
-- params: schema, aggregate, not_before, not_before_at
-- columns: until timestamptz; since timestamptz
-- budget_ms: 200
SELECT
    now() AS until,
    greatest(
        min(c.range_start), coalesce(CAST(:not_before_at AS timestamptz), now() - CAST(:not_before AS interval))
    ) AS since
FROM timescaledb_information.continuous_aggregates a
JOIN timescaledb_information.chunks c
    ON c.hypertable_schema = a.hypertable_schema AND c.hypertable_name = a.hypertable_name
WHERE a.view_schema = :schema AND a.view_name = :aggregate
