-- name: check_snapshots
-- about: The checks after a deployment as the last snapshot of each month (UTC) and origin made them, of one database and before an instant; oldest first.
-- params: source, until
-- columns: taken_at timestamptz; origin text; name text; title text; expected text; found text; verdict text; advice text
-- budget_ms: 50
WITH checked AS (
    SELECT s.snapshot_id, s.taken_at, s.origin
    FROM snapshot s
    SEMI JOIN snapshot_check c USING (snapshot_id)
    WHERE s.source = $source AND s.taken_at < $until
    QUALIFY row_number() OVER (
        PARTITION BY s.origin, date_trunc('month', s.taken_at AT TIME ZONE 'UTC') ORDER BY s.taken_at DESC
    ) = 1
)
SELECT s.taken_at, s.origin, c.name, c.title, c.expected, c.found, c.verdict, c.advice
FROM checked s
JOIN snapshot_check c USING (snapshot_id)
ORDER BY s.taken_at, c.place
