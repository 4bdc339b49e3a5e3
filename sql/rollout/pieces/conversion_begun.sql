-- name: conversion_begun
-- about: Whether an online conversion of that table is under way, and in which direction: hypertable or plain.
-- timescaledb: >=2.11
-- params: schema, table
-- columns: found boolean; direction text
-- budget_ms: 20
SELECT count(*) > 0 AS found, max(direction) AS direction
FROM ms5ops.conversion
WHERE schema_name = :schema AND table_name = :table AND status NOT IN ('done', 'abandoned')
