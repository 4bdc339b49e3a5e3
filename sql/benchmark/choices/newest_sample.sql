-- name: newest_sample
-- about: The newest sample of all metrics: the instant that a run takes as now. Metric by metric, as plain tables have no index on time alone.
-- columns: newest timestamptz
-- budget_ms: 500
SELECT max(newest.ts) AS newest
FROM {schema}.metric_def d
CROSS JOIN LATERAL (
    SELECT h.ts FROM {schema}.metric_hist h WHERE h.metric_def_id = d.id ORDER BY h.ts DESC LIMIT 1
) newest
