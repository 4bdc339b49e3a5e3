-- name: add_request
-- about: Someone asks a running deployment to pause, to go on or to be given up.
-- timescaledb: >=0.0
-- params: deployment, kind, actor
-- columns: none
-- budget_ms: 20
INSERT INTO ms5ops.request (deployment, kind, actor) VALUES (:deployment, :kind, :actor)
