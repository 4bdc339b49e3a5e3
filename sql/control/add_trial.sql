-- name: add_trial
-- about: What came of a dry run.
-- params: plan, tried_by, tried_at, locked_seconds, results
-- columns: none
-- budget_ms: 20
INSERT INTO trial (plan, tried_by, tried_at, locked_seconds, results)
VALUES (:plan, :tried_by, :tried_at, :locked_seconds, :results)
