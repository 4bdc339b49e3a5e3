-- name: add_piece
-- about: A part of a long operation was done; nothing where that is known already.
-- timescaledb: >=0.0
-- params: deployment, ordinal, piece
-- columns: none
-- budget_ms: 20
INSERT INTO ms5ops.piece (deployment, ordinal, piece) VALUES (:deployment, :ordinal, :piece) ON CONFLICT DO NOTHING
