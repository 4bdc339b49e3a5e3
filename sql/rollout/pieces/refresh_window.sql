-- name: refresh_window
-- about: The next window back in time, and its end with one width of overlap into the one after it.
-- timescaledb: >=2.11
-- params: until, since, latest, width
-- columns: since timestamptz; overlapping timestamptz
-- budget_ms: 5
SELECT greatest(CAST(:until AS timestamptz) - CAST(:width AS interval), CAST(:since AS timestamptz)) AS since,
    least(CAST(:until AS timestamptz) + CAST(:width AS interval), CAST(:latest AS timestamptz)) AS overlapping
