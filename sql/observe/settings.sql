-- name: settings
-- about: The settings that Phase 4 or a health check looks at. A row is absent where the server lacks it or the role may not see it.
-- timescaledb: >=2.11
-- params: names
-- columns: name text; setting text; unit text; vartype text; context text; source text; boot_value text; pending_restart boolean
-- budget_ms: 20
SELECT name, setting, unit, vartype, context, source, boot_val AS boot_value, pending_restart
FROM pg_settings
WHERE name = ANY (CAST(:names AS text[]))
ORDER BY name
