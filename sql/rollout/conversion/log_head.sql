-- name: log_head
-- about: Template: how far a round of catching up goes, and whether the table was emptied within it.
-- columns: through bigint; rows rows; emptied bigint
-- budget_ms: 50
SELECT max(h.seq) AS through, count(*) AS rows, max(h.seq) FILTER (WHERE h.truncated) AS emptied
FROM (SELECT l.seq, l.truncated FROM {log} l ORDER BY l.seq LIMIT {most}) h
