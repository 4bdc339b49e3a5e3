-- name: put_in_force
-- about: An environment is planned by that version from now on (0: the set that comes with ms5ops).
-- params: environment, version, chosen_by, chosen_at
-- columns: none
-- budget_ms: 20
INSERT INTO in_force (environment, version, chosen_by, chosen_at) VALUES (:environment, :version, :chosen_by, :chosen_at)
