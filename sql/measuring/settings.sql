-- name: settings
-- about: Settings as this session has them; NULL where the server lacks one.
-- params: names
-- columns: name text; value text
-- budget_ms: 20
SELECT wanted.name, current_setting(wanted.name, true) AS value
FROM unnest(CAST(:names AS text[])) AS wanted (name)
