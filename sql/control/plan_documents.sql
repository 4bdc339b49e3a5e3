-- name: plan_documents
-- about: The plan itself, and the text of the policy set that it was made from.
-- params: id
-- columns: document json; policy_text text
-- budget_ms: 20
SELECT document, policy_text FROM kept_plan WHERE id = :id
