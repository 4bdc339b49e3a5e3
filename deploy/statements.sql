-- What names the costliest statements on the Health page: as a superuser, on the database factory_telemetry. The server
-- has to have it in shared_preload_libraries.
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
