-- name: drop_alert
-- about: Take an alert away that is over.
-- params: environment, key
-- columns: none
-- budget_ms: 20
DELETE FROM alert WHERE environment = :environment AND key = :key
