-- name: copy_piece
-- about: Template: copies one piece in time order; rows that catching up has already carried over are newer and stay.
-- columns: rows rows
-- budget_ms: 1000
WITH done AS (
    INSERT INTO {target} ({columns}) OVERRIDING SYSTEM VALUE
    SELECT {values} FROM {source} s WHERE s.{time} IS NOT NULL AND {range} ORDER BY {order}
    ON CONFLICT ({target_key}) DO NOTHING
    RETURNING 1
)
SELECT count(*) AS rows FROM done
