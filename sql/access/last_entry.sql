-- name: last_entry
-- about: The newest entry of the audit log.
-- timescaledb: >=0.0
-- params: 
-- columns: number count; mac text
-- budget_ms: 20
SELECT number, mac FROM audit_entry ORDER BY number DESC LIMIT 1
