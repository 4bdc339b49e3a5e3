-- name: record_hold
-- about: Takes a conversion over, if its holder is still the one that was read.
-- timescaledb: >=2.11
-- params: id, holder, former
-- columns: id bigint
-- budget_ms: 10
UPDATE ms5ops.conversion
SET holder = CAST(:holder AS jsonb), heartbeat = clock_timestamp()
WHERE id = :id AND holder IS NOT DISTINCT FROM CAST(:former AS jsonb)
RETURNING id
