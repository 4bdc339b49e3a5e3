-- name: known_place
-- about: When somebody last signed in from a place.
-- timescaledb: >=0.0
-- params: name, place
-- columns: seen_at text
-- budget_ms: 20
SELECT seen_at FROM known_place WHERE name = :name AND place = :place
