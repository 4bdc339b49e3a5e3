-- name: keys_sum
-- about: Template: count and checksum of the rows of a round in one of the two tables.
-- columns: rows rows; checksum numeric
-- budget_ms: 1000
SELECT count(*) AS rows, coalesce(sum(hashtextextended(CAST(ROW({row}) AS text), 0)), 0)::text AS checksum
FROM pg_temp.ms5ops_keys k JOIN {table} s ON {match} AND {span}
