-- name: connections
-- about: How many sessions the server admits, and how many there are; reserved ones are not for everybody.
-- columns: most count; used count; reserved count
-- budget_ms: 50
SELECT current_setting('max_connections')::int AS most,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
       current_setting('superuser_reserved_connections')::int AS reserved
