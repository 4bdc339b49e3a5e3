-- name: add_entry
-- about: One more entry of the audit log.
-- timescaledb: >=0.0
-- params: number, entry, mac
-- columns: none
-- budget_ms: 20
INSERT INTO audit_entry (number, entry, mac) VALUES (:number, :entry, :mac)
