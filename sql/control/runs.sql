-- name: runs
-- about: Runs of an environment, newest first.
-- params: environment, most
-- columns: id text; kind text; environment text; plan text; deployment text; actor text; provider text; options json; asked_at text; host text; pid int; stage text; ended_at text; outcome text; message text; checks json
-- budget_ms: 20
SELECT id, kind, environment, plan, deployment, actor, provider, options, asked_at, host, pid, stage, ended_at, outcome, message, checks
FROM run WHERE environment = :environment ORDER BY asked_at DESC, rowid DESC LIMIT :most
