-- name: range_sum
-- about: Template: count and checksum, independent of order, over all columns of the rows of a time range.
-- columns: rows rows; checksum numeric
-- budget_ms: 60000
SELECT count(*) AS rows, coalesce(sum(hashtextextended(CAST(ROW({row}) AS text), 0)), 0)::text AS checksum
FROM {table} s WHERE {range}
