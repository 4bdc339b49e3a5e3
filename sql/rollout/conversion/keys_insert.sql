-- name: keys_insert
-- about: Template: puts the rows of a round into the successor, as they are now.
-- columns: rows rows
-- budget_ms: 1000
WITH done AS (
    INSERT INTO {target} ({columns}) OVERRIDING SYSTEM VALUE
    SELECT {values} FROM pg_temp.ms5ops_keys k JOIN {source} s ON {match} AND {span} ORDER BY {order}
    RETURNING 1
)
SELECT count(*) AS rows FROM done
