-- name: pieces
-- about: The parts of a long operation that were done, oldest first.
-- timescaledb: >=0.0
-- params: deployment, ordinal
-- columns: piece text
-- budget_ms: 20
SELECT piece FROM ms5ops.piece WHERE deployment = :deployment AND ordinal = :ordinal ORDER BY at, piece
