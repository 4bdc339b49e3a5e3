-- name: database_settings
-- about: Settings of this database for all roles (ALTER DATABASE ... SET), as name=value.
-- timescaledb: >=2.11
-- columns: setting text
-- budget_ms: 10
SELECT unnest(s.setconfig) AS setting
FROM pg_db_role_setting s
JOIN pg_database d ON d.oid = s.setdatabase
WHERE d.datname = current_database() AND s.setrole = 0
ORDER BY 1
