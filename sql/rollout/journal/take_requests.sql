-- name: take_requests
-- about: The requests that were not yet obeyed, in order, which are so marked.
-- timescaledb: >=0.0
-- params: deployment
-- columns: kind text; actor text; at timestamptz
-- budget_ms: 20
WITH taken AS (
    UPDATE ms5ops.request SET handled_at = clock_timestamp()
    WHERE deployment = :deployment AND handled_at IS NULL
    RETURNING id, kind, actor, at
)
SELECT kind, actor, at FROM taken ORDER BY id
