-- name: aggregate_definitions
-- about: What each continuous aggregate was made from, as the server writes it.
-- timescaledb: >=2.11
-- columns: schema_name text; view_name text; definition text
-- budget_ms: 40
SELECT view_schema::text AS schema_name, view_name::text AS view_name, view_definition AS definition
FROM timescaledb_information.continuous_aggregates
ORDER BY 1, 2
