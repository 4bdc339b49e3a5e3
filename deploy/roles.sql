-- The two roles of the README, for psql: as a superuser, on the database factory_telemetry.
--
--   MS5_READ_PASSWORD=... MS5_DEPLOY_PASSWORD=... psql --set ON_ERROR_STOP=1 --file deploy/roles.sql factory_telemetry

\getenv read_password MS5_READ_PASSWORD
\getenv deploy_password MS5_DEPLOY_PASSWORD

CREATE ROLE ms5_read LOGIN PASSWORD :'read_password' IN ROLE pg_monitor;
GRANT CONNECT ON DATABASE factory_telemetry TO ms5_read;
GRANT USAGE ON SCHEMA factory_telemetry TO ms5_read;
GRANT SELECT ON ALL TABLES IN SCHEMA factory_telemetry TO ms5_read;
-- for what comes later; once more FOR ROLE each role that makes tables, as the deploying one does (see below):
ALTER DEFAULT PRIVILEGES IN SCHEMA factory_telemetry GRANT SELECT ON TABLES TO ms5_read;

CREATE ROLE ms5_deploy LOGIN PASSWORD :'deploy_password' IN ROLE pg_monitor;
GRANT CONNECT, CREATE ON DATABASE factory_telemetry TO ms5_deploy;
GRANT USAGE, CREATE ON SCHEMA factory_telemetry TO ms5_deploy;
GRANT SELECT, REFERENCES ON ALL TABLES IN SCHEMA factory_telemetry TO ms5_deploy;   -- for backups, and foreign keys
GRANT SELECT ON ALL SEQUENCES IN SCHEMA factory_telemetry TO ms5_deploy;
-- for backups before TimescaleDB 2.15: GRANT SELECT ON _timescaledb_internal.job_errors TO ms5_deploy;
ALTER TABLE factory_telemetry.metric_hist OWNER TO ms5_deploy;
ALTER TABLE factory_telemetry.oee_calculations OWNER TO ms5_deploy;
ALTER TABLE factory_telemetry.energy_consumption OWNER TO ms5_deploy;
ALTER TABLE factory_telemetry.production_kpis OWNER TO ms5_deploy;
ALTER TABLE factory_telemetry.production_context_history OWNER TO ms5_deploy;
ALTER DEFAULT PRIVILEGES FOR ROLE ms5_deploy GRANT USAGE ON SCHEMAS TO ms5_read;   -- the journal, for the Rollout page
ALTER DEFAULT PRIVILEGES FOR ROLE ms5_deploy GRANT SELECT ON TABLES TO ms5_read;
