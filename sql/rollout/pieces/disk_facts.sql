-- name: disk_facts
-- about: What tells whether the server runs on this machine and where its data is; NULL where the role may not see it.
-- timescaledb: >=2.11
-- columns: same_machine boolean; data_directory text
-- budget_ms: 100
SELECT inet_server_addr() IS NOT DISTINCT FROM inet_client_addr() AS same_machine,
    CASE WHEN pg_has_role(current_user, 'pg_read_all_settings', 'USAGE')
        THEN (SELECT setting FROM pg_settings WHERE name = 'data_directory') END AS data_directory
