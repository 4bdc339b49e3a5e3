-- name: conversion_begun
-- about: In which direction an online conversion of that table is under way: hypertable or plain; no row where none is.
-- timescaledb: >=2.11
-- params: schema, table
-- columns: direction text
-- budget_ms: 20
SELECT direction
FROM ms5ops.conversion
WHERE schema_name = :schema AND table_name = :table AND status NOT IN ('done', 'abandoned')
