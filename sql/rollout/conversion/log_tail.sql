-- name: log_tail
-- about: Template: takes what a round has done out of the log.
-- columns: none
-- budget_ms: 50
DELETE FROM {log} l WHERE l.seq <= {through}
