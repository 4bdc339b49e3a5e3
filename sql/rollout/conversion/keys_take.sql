-- name: keys_take
-- about: Template: the keys of a round.
-- columns: none
-- budget_ms: 50
CREATE TEMPORARY TABLE ms5ops_keys ON COMMIT DROP AS
SELECT DISTINCT {keys}, {time} AS t FROM {log} l WHERE l.seq <= {through} AND NOT l.truncated
