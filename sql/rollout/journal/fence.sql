-- name: fence
-- about: One row while the token is the holder of the lease, which nobody can then take until the transaction ends.
-- timescaledb: >=0.0
-- params: token
-- columns: held int
-- budget_ms: 20
SELECT 1 AS held FROM ms5ops.lease WHERE token = :token FOR KEY SHARE
