-- name: keys_spans
-- about: Template: the keys of a round by chunk: the first and the last time of each, so that other chunks are not looked at.
-- columns: first text; last text; rows rows
-- budget_ms: 50
SELECT min(k.t)::text AS first, max(k.t)::text AS last, count(*) AS rows
FROM pg_temp.ms5ops_keys k WHERE k.t IS NOT NULL
GROUP BY floor(extract(epoch FROM k.t) / {seconds}) ORDER BY min(k.t)
