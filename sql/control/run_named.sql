-- name: run_named
-- about: Runs whose id, or whose deployment's id, begins so, newest first.
-- params: wanted
-- columns: id text; kind text; environment text; plan text; deployment text; actor text; provider text; options json; asked_at text; host text; pid int; stage text; ended_at text; outcome text; message text; checks json
-- budget_ms: 20
SELECT id, kind, environment, plan, deployment, actor, provider, options, asked_at, host, pid, stage, ended_at, outcome, message, checks
FROM run WHERE substr(id, 1, length(:wanted)) = :wanted OR substr(deployment, 1, length(:wanted)) = :wanted
ORDER BY asked_at DESC, rowid DESC
