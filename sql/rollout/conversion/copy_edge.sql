-- name: copy_edge
-- about: Template: the time and key of the last row of the next piece; no row where fewer rows are left.
-- columns: t text; k1 text
-- budget_ms: 1000
SELECT {edge} FROM (
    SELECT {pair} FROM {source} s WHERE s.{time} IS NOT NULL AND {after} ORDER BY {order} OFFSET {skip} LIMIT 1
) x
