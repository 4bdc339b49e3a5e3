-- name: transaction_snapshots
-- about: What was counted of one database's transactions up to each snapshot, oldest first; snapshots that did not read it are left out.
-- params: source
-- columns: taken_at timestamptz; origin text; counted_since timestamptz; committed count; rolled_back count; deadlocks count; conflicts count; sessions_ended count
-- budget_ms: 50
SELECT s.taken_at, s.origin, t.counted_since, t.committed, t.rolled_back, t.deadlocks, t.conflicts, t.sessions_ended
FROM snapshot s
JOIN snapshot_transactions t USING (snapshot_id)
WHERE s.source = $source
ORDER BY s.taken_at
