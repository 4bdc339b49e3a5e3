-- name: refresh
-- about: Refreshes a continuous aggregate over a span at once. Its job would do so bucket by bucket, which over the days of a stride takes minutes.
-- params: aggregate, start, end
-- columns: none
-- budget_ms: 2000
CALL refresh_continuous_aggregate(CAST(:aggregate AS regclass), CAST(:start AS timestamptz), CAST(:end AS timestamptz))
