-- name: embedded
-- about: Whether the server is the embedded engine, which alone is PostgreSQL compiled to WebAssembly (by emcc).
-- timescaledb: >=0.0
-- columns: is_embedded boolean
-- budget_ms: 20
SELECT version() LIKE '%compiled by emcc%' AS is_embedded
