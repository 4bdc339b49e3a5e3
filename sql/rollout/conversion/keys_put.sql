-- name: keys_put
-- about: Template: puts the rows of a round into the successor, as they are now; count and checksum of what was stored.
-- columns: rows rows; checksum numeric
-- budget_ms: 1000
WITH done AS (
    INSERT INTO {target} AS n ({columns}) OVERRIDING SYSTEM VALUE
    SELECT {values} FROM pg_temp.ms5ops_keys k JOIN {source} s ON {match} AND {span} ORDER BY {order}
    ON CONFLICT ({target_key}) DO UPDATE SET {changes}
    RETURNING CAST(ROW({row}) AS text) AS stored
)
SELECT count(*) AS rows, coalesce(sum(hashtextextended(stored, 0)), 0)::text AS checksum FROM done
