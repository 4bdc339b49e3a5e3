-- name: sequence_position
-- about: Template: gives a sequence the position of another.
-- columns: last_value bigint
-- budget_ms: 10
SELECT setval({successor}, s.last_value, s.is_called) AS last_value FROM {sequence} s
