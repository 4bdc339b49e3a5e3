-- name: blank
-- about: Whether nothing was ever made in this database: neither telemetry nor a journal of deployments.
-- columns: blank boolean
-- budget_ms: 20
SELECT NOT EXISTS (SELECT FROM pg_namespace WHERE nspname IN ('factory_telemetry', 'ms5ops')) AS blank
