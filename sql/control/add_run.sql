-- name: add_run
-- about: A process of its own is asked to work.
-- params: id, kind, environment, plan, deployment, actor, provider, options, asked_at, host
-- columns: none
-- budget_ms: 20
INSERT INTO run (id, kind, environment, plan, deployment, actor, provider, options, asked_at, host, stage)
VALUES (:id, :kind, :environment, :plan, :deployment, :actor, :provider, :options, :asked_at, :host, 'starting')
