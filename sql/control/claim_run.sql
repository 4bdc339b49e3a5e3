-- name: claim_run
-- about: A process takes a run on; no row where it has ended, or another one has taken it.
-- params: id, pid
-- columns: id text
-- budget_ms: 20
UPDATE run SET pid = :pid WHERE id = :id AND pid IS NULL AND ended_at IS NULL RETURNING id
