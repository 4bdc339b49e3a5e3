-- name: record_release
-- about: Lets a conversion go, so that another process need not wait for signs of its death.
-- timescaledb: >=2.11
-- params: id, token
-- columns: id bigint
-- budget_ms: 10
UPDATE ms5ops.conversion SET holder = NULL WHERE id = :id AND holder ->> 'token' = :token RETURNING id
