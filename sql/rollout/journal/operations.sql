-- name: operations
-- about: The operations of a deployment in order.
-- timescaledb: >=0.0
-- params: deployment
-- columns: ordinal int; key text; phase int; status text; started_at timestamptz; finished_at timestamptz; undone_at timestamptz; attempts int; progress jsonb; error text
-- budget_ms: 20
SELECT ordinal, key, phase, status, started_at, finished_at, undone_at, attempts, progress, error
FROM ms5ops.operation WHERE deployment = :deployment ORDER BY ordinal
