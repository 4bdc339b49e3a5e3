-- name: run_stage
-- about: What a run is doing now.
-- params: id, stage, deployment
-- columns: none
-- budget_ms: 20
UPDATE run SET stage = :stage, deployment = coalesce(:deployment, deployment) WHERE id = :id
