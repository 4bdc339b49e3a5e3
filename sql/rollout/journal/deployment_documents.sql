-- name: deployment_documents
-- about: The plan and the captured before-state of one deployment.
-- timescaledb: >=0.0
-- params: id
-- columns: plan jsonb; before_state jsonb
-- budget_ms: 20
SELECT plan, before_state FROM ms5ops.deployment WHERE id = :id
