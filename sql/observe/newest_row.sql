-- name: newest_row
-- about: The newest instant in one table or hypertable, looked for no further back than :since (which keeps it to the newest chunks).
-- timescaledb: >=2.11
-- params: since, until
-- columns: newest_at timestamptz
-- budget_ms: 40
SELECT max({time_column})::timestamptz AS newest_at
FROM {table}
WHERE {time_column} >= CAST(:since AS timestamptz) AND {time_column} < CAST(:until AS timestamptz)
