-- name: beginnings
-- about: How many times a deployment began to be applied (0 or 1; going on does not count), and to be taken back.
-- timescaledb: >=0.0
-- params: id, rolling_back
-- columns: applied bigint; taken_back bigint
-- budget_ms: 20
SELECT
    (SELECT count(*) FROM ms5ops.deployment WHERE id = CAST(:id AS uuid)) AS applied,
    (
        SELECT count(*) FROM ms5ops.event
        WHERE deployment = CAST(:id AS uuid) AND starts_with(message, :rolling_back)
    ) AS taken_back
