-- name: conversion_begun
-- about: Whether an online conversion of that table, of either direction, is under way.
-- timescaledb: >=2.11
-- params: schema, table
-- columns: found boolean
-- budget_ms: 20
SELECT EXISTS (
    SELECT FROM ms5ops.conversion
    WHERE schema_name = :schema AND table_name = :table AND status NOT IN ('done', 'abandoned')
) AS found
