-- name: events
-- about: Events of a deployment in order.
-- timescaledb: >=0.0
-- params: deployment
-- columns: at timestamptz; operation text; actor text; level text; message text
-- budget_ms: 20
SELECT at, operation, actor, level, message FROM ms5ops.event WHERE deployment = :deployment ORDER BY id
