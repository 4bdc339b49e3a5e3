-- name: in_force
-- about: The version that an environment is planned by, with who chose it; no row: nobody chose.
-- params: environment
-- columns: version int; chosen_by text; chosen_at text
-- budget_ms: 20
SELECT version, chosen_by, chosen_at FROM in_force WHERE environment = :environment ORDER BY id DESC LIMIT 1
