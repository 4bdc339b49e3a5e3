-- name: shared_keys
-- about: Template: how many keys occur more than once.
-- columns: keys rows
-- budget_ms: 60000
SELECT count(*) AS keys FROM (SELECT FROM {source} s GROUP BY {keys} HAVING count(*) > 1) d
