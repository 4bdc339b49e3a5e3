-- name: deployments
-- about: Deployments, newest first, without their plans; what is advice is no operation that could be done. The row's own note is the last reason; what was noted when it was applied, and when a way back last began, only the events keep.
-- timescaledb: >=0.0
-- params: limit, planned, resumed, rolling_back
-- columns: id uuid; number bigint; status text; direction text; started_at timestamptz; finished_at timestamptz; environment text; actor text; db_role text; host text; pid int; tool_version text; server_versions jsonb; plan_hash text; state_hash text; policy_hash text; note text; operations bigint; done bigint; applying jsonb; back_began_at timestamptz; going_back text
-- budget_ms: 20
SELECT d.id, d.number, d.status, d.direction, d.started_at, d.finished_at, d.environment, d.actor, d.db_role, d.host, d.pid,
    d.tool_version, d.server_versions, d.plan_hash, d.state_hash, d.policy_hash, d.note, o.operations, o.done,
    a.messages AS applying, b.at AS back_began_at, b.message AS going_back
FROM ms5ops.deployment d
CROSS JOIN LATERAL (
    SELECT count(*) AS operations, count(*) FILTER (WHERE status IN ('done', 'skipped')) AS done
    FROM ms5ops.operation
    WHERE deployment = d.id AND key NOT IN (SELECT one ->> 'key' FROM jsonb_array_elements(d.plan -> 'advice') one)
) o
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(message ORDER BY id), '[]') AS messages
    FROM ms5ops.event
    WHERE deployment = d.id AND operation IS NULL AND (starts_with(message, :planned) OR starts_with(message, :resumed))
) a
LEFT JOIN LATERAL (
    SELECT at, message
    FROM ms5ops.event
    WHERE deployment = d.id AND operation IS NULL AND starts_with(message, :rolling_back)
    ORDER BY id DESC
    LIMIT 1
) b ON true
ORDER BY d.number DESC
LIMIT :limit
