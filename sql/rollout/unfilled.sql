-- name: unfilled
-- about: Spans of time that each aggregate still has to be refreshed over (clipped to years 1 to 9999), whether never filled or changed since.
-- timescaledb: >=2.11
-- columns: storage_name text; first_at timestamptz; last_at timestamptz
-- budget_ms: 20
SELECT
    h.table_name::text AS storage_name,
    timestamptz 'epoch' + greatest(l.lowest_modified_value, -62135596800000000) * interval '1 microsecond' AS first_at,
    timestamptz 'epoch' + least(l.greatest_modified_value, 253402300799000000) * interval '1 microsecond' AS last_at
FROM _timescaledb_catalog.continuous_aggs_materialization_invalidation_log l
JOIN _timescaledb_catalog.hypertable h ON h.id = l.materialization_id
WHERE l.greatest_modified_value > -62135596800000000 AND l.lowest_modified_value < 253402300799000000
ORDER BY 1, 2
