-- name: add_deployment
-- about: A new deployment, planned.
-- timescaledb: >=0.0
-- params: id, environment, actor, host, pid, tool_version, server_versions, plan, plan_hash, state_hash, policy_hash, before_state, note
-- columns: number bigint
-- budget_ms: 20
INSERT INTO ms5ops.deployment (id, status, environment, actor, host, pid, tool_version, server_versions, plan, plan_hash,
    state_hash, policy_hash, before_state, note)
VALUES (:id, 'planned', :environment, :actor, :host, :pid, :tool_version, CAST(:server_versions AS jsonb),
    CAST(:plan AS jsonb), :plan_hash, :state_hash, :policy_hash, CAST(:before_state AS jsonb), :note)
RETURNING number
