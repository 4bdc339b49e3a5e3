-- name: entries
-- about: Entries of the audit log after a number, oldest first.
-- timescaledb: >=0.0
-- params: after
-- columns: number count; entry text; mac text
-- budget_ms: 20
SELECT number, entry, mac FROM audit_entry WHERE number > :after ORDER BY number
