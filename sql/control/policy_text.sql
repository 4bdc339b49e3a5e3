-- name: policy_text
-- about: The text of one saved policy set.
-- params: number
-- columns: text text
-- budget_ms: 20
SELECT text FROM policy_version WHERE number = :number
