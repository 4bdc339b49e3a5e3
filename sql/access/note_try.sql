-- name: note_try
-- about: A try is made: counted as failed until it turns out right.
-- timescaledb: >=0.0
-- params: key, tries, now, closed_until
-- columns: none
-- budget_ms: 20
INSERT INTO failed_try (key, tries, last_at, closed_until) VALUES (:key, :tries, :now, :closed_until)
ON CONFLICT (key) DO UPDATE SET tries = excluded.tries, last_at = excluded.last_at, closed_until = excluded.closed_until
