-- name: newest_entries
-- about: The newest entries of the audit log.
-- timescaledb: >=0.0
-- params: limit
-- columns: number count; entry text; mac text
-- budget_ms: 20
SELECT number, entry, mac FROM audit_entry ORDER BY number DESC LIMIT :limit
