-- name: verified
-- about: What a database was when last verified.
-- params: source
-- columns: environment text; deployment text; deployment_number int; verified_at text; state_hash text; policy_text text; state json
-- budget_ms: 20
SELECT environment, deployment, deployment_number, verified_at, state_hash, policy_text, state
FROM verified_state WHERE source = :source ORDER BY id DESC LIMIT 1
