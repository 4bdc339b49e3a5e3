-- name: note_place
-- about: Somebody signed in from a place.
-- timescaledb: >=0.0
-- params: name, place, now
-- columns: none
-- budget_ms: 20
INSERT INTO known_place (name, place, seen_at) VALUES (:name, :place, :now)
ON CONFLICT (name, place) DO UPDATE SET seen_at = excluded.seen_at
