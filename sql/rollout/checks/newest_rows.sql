-- name: newest_rows
-- about: The queries of the criteria: what one entity has in the last hour (of a table) or day (of an aggregate), newest first.
-- timescaledb: >=2.11
-- params: entity, newest, span
-- columns: those of the relation
-- budget_ms: 100
SELECT *
FROM {relation}
WHERE {entity} = :entity AND {time} > CAST(:newest AS timestamptz) - CAST(:span AS interval)
    AND {time} <= CAST(:newest AS timestamptz)
ORDER BY {time} DESC
