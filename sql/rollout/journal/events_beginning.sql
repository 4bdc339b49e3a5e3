-- name: events_beginning
-- about: Messages of all deployments that begin with a text, oldest first.
-- timescaledb: >=0.0
-- params: beginning
-- columns: message text
-- budget_ms: 100
SELECT message FROM ms5ops.event WHERE starts_with(message, :beginning) ORDER BY id
