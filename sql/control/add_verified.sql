-- name: add_verified
-- about: What a database is now that a deployment, or its rollback, has ended.
-- params: environment, source, deployment, deployment_number, verified_at, state_hash, policy_text, state
-- columns: none
-- budget_ms: 20
INSERT INTO verified_state (environment, source, deployment, deployment_number, verified_at, state_hash, policy_text, state)
VALUES (:environment, :source, :deployment, :deployment_number, :verified_at, :state_hash, :policy_text, :state)
