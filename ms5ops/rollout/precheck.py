"""Before a deployment: the pre-validation list of Phase 4 (spec, "The nine pieces users know": pre-validation)."""

from collections.abc import Callable, Sequence
from datetime import datetime

from ms5ops.config import MaintenanceWindow
from ms5ops.environments import Connected
from ms5ops.errors import Ms5opsError
from ms5ops.observe.absence import absence
from ms5ops.observe.activity import lock_waits, long_transactions, read_activity
from ms5ops.observe.indexes import read_indexes
from ms5ops.observe.jobs import read_jobs
from ms5ops.observe.server import Server, probe_server
from ms5ops.observe.settings import read_settings
from ms5ops.observe.tables import read_database_size, read_tables
from ms5ops.policy.document import PolicySet
from ms5ops.queries import ANY_VERSION, query, version_text
from ms5ops.rollout import backup, disk
from ms5ops.rollout.check import Check, asked, judged, unread
from ms5ops.rollout.operation import Operation
from ms5ops.units import bytes_text, count_text, instant_text

FOLDER = "rollout/checks"
SUPPORTED_FROM, SUPPORTED_BELOW = (2, 11, 0), (2, 30, 0)
POSTGRES_FROM = 13
LEAST_FREE_SHARE = 0.10
"""Own choice: free disk of a tenth of the database, beside what the plan itself needs."""

_NAMES = {
    "connection": ("Connection", "the server answers"),
    "extension": ("Extension", "timescaledb is installed"),
    "edition": ("Edition", "Community"),
    "versions": ("Versions", "TimescaleDB 2.11 to 2.29 on PostgreSQL 13 or newer"),
    "disk": ("Disk space", "room for the plan and a tenth of the database"),
    "privileges": ("Privileges", "owner of the tables, REFERENCES on what they point to, CREATE for schema, database"),
    "hypertables": ("Tables", "the tables are there, plain or as hypertables"),
    "policies": ("Existing policies", "at most one of each kind per table"),
    "activity": ("Activity", "no transaction over 15 minutes, nobody waits for a lock"),
    "bloat": ("Indexes", "none broken, none bloated"),
    "workers": ("Background workers", "timescaledb.max_background_workers is at least 8"),
    "window": ("Maintenance window", "it is open"),
    "backup": ("Backup", "pg_dump and pg_restore fit the server, where a backup is due"),
}


def window_of(connected: Connected) -> Callable[[datetime], bool] | None:
    """Whether changes may run at an instant; None: always (the sandbox)."""
    if connected.maintenance_window == "always":
        return None
    return MaintenanceWindow.model_validate(connected.maintenance_window).contains


def prechecks(
    connected: Connected, policy: PolicySet, operations: Sequence[Operation] = (), outside_window: str | None = None
) -> tuple[Check, ...]:
    """Every check of the list, in its order; ``operations`` are those of the plan, for the disk they need.

    ``outside_window`` is the reason to work outside the maintenance window, where there is one: a closed window stays
    a failed check, and the reason stands beside it. Never raises what the server says: such a check could not be made.
    """
    try:
        server = probe_server(connected.database, connected.schema, policy)
    except Ms5opsError as error:
        return (
            _failed_connection(error),
            *(unread(name, *_NAMES[name], error) for name in _NAMES if name != "connection"),
        )
    names = [table.name for table in policy.active_tables]
    questions: dict[str, Callable[[], Check]] = {
        "connection": lambda: _check("connection", server.version_text, True, connected.database.target.address),
        "extension": lambda: _extension(server),
        "edition": lambda: _edition(server),
        "versions": lambda: _versions(server),
        "disk": lambda: _disk(server, connected, operations),
        "privileges": lambda: _privileges(server, names, connected.deploy_role),
        "hypertables": lambda: _hypertables(server, names),
        "policies": lambda: _policies(server),
        "activity": lambda: _activity(server),
        "bloat": lambda: _bloat(server),
        "workers": lambda: _workers(server),
        "window": lambda: _window(server, connected, outside_window),
        "backup": lambda: _backup(server, connected),
    }
    return tuple(asked(name, *_NAMES[name], question) for name, question in questions.items())


def _check(name: str, found: str, good: bool, *evidence: str, advice: str = "") -> Check:
    return judged(name, *_NAMES[name], found, good, *evidence, advice=advice)


def _unknown(name: str, found: str, advice: str) -> Check:
    return Check(name, *_NAMES[name], found, "could not check", (), advice)


def _failed_connection(error: Ms5opsError) -> Check:
    return Check("connection", *_NAMES["connection"], error.happened, "could not check", (), error.next_step)


def _extension(server: Server) -> Check:
    there = server.extension_installed
    found = version_text(server.version) if there else "not installed"
    return _check("extension", found, there, advice="As an administrator: CREATE EXTENSION timescaledb.")


def _edition(server: Server) -> Check:
    advice = "Ask the administrator for the Community build (timescaledb.license = timescale)."
    return _check("edition", server.edition, server.edition == "community", advice=advice)


def _versions(server: Server) -> Check:
    good = SUPPORTED_FROM <= server.version < SUPPORTED_BELOW and server.postgres_version[0] >= POSTGRES_FROM
    return _check("versions", server.version_text, good, advice="Update the extension, or this console.")


def _disk(server: Server, connected: Connected, operations: Sequence[Operation]) -> Check:
    free = disk.free_bytes(connected)
    if free is None:
        return _unknown(
            "disk",
            "the server's disk cannot be seen from here",
            "Look on the server itself (df), and have room for the largest table a second time.",
        )
    size = read_database_size(server).size_bytes
    planned = max((one.estimate.extra_bytes or 0 for one in operations), default=0)
    needed = planned + round(size * LEAST_FREE_SHARE)
    return _check(
        "disk",
        f"{bytes_text(free)} free",
        free >= needed,
        f"database {bytes_text(size)}, largest operation {bytes_text(planned)}, needed {bytes_text(needed)}",
        advice="Make room on the server's disk first.",
    )


def _privileges(server: Server, names: Sequence[str], deploy_role: str | None) -> Check:
    """Of the role that would deploy, whoever asks."""
    parameters = {"schema": server.schema, "tables": list(names), "role": deploy_role}
    rows = server.database.rows(query(FOLDER, "privileges", ANY_VERSION).sql, parameters)
    if not rows:
        return _check(
            "privileges", f"there is no role {deploy_role}", False, advice="Create it (README), or name another."
        )
    row = rows[0]
    lacking = [f"not the owner of {name}" for name in row["not_owned"]]
    lacking += [f"no REFERENCES on {name}, for the foreign keys" for name in row["not_referable"]]
    lacking += [] if row["may_create_objects"] else [f"no CREATE in schema {server.schema}"]
    lacking += [] if row["may_create_schema"] else ["no CREATE in the database (for the journal's schema ms5ops)"]
    return _check(
        "privileges",
        "; ".join(lacking) or "all there",
        not lacking,
        f"role {row['role']}",
        advice="Grant it (README, “Rolling a policy out”), or use a deploy role that has it.",
    )


def _hypertables(server: Server, names: Sequence[str]) -> Check:
    tables = read_tables(server, None)
    kinds = {table.name: table.kind for table in tables if table.schema == server.schema}
    found = {name: kinds.get(name, "missing") for name in names}
    missing = [name for name in names if found[name] == "missing"]
    hypertables = sum(kind == "hypertable" for kind in found.values())
    return _check(
        "hypertables",
        f"{hypertables} hypertables, {len(found) - hypertables - len(missing)} plain, {len(missing)} missing",
        not missing,
        *(f"{name}: {kind}" for name, kind in found.items()),
        advice=none.next_step
        if (none := absence(tables))
        else f"Create {', '.join(missing)} with the application's own migrations, or switch "
        f"{'it' if len(missing) == 1 else 'them'} off in the policy set (enabled = false).",
    )


def _policies(server: Server) -> Check:
    jobs = [job for job in read_jobs(server, read_tables(server, None)) if job.kind not in ("system", "user")]
    kinds = [(job.target, job.kind) for job in jobs]
    twice = sorted({f"{kind} on {target}" for target, kind in kinds if kinds.count((target, kind)) > 1})
    return _check(
        "policies",
        f"{count_text(len(jobs))} policies" + (f"; twice: {', '.join(twice)}" if twice else ""),
        not twice,
        *(f"job {job.job_id}: {job.name}{'' if job.scheduled else ' (paused)'}" for job in jobs),
        advice="Remove the spare ones; the plan replaces those that differ.",
    )


def _activity(server: Server) -> Check:
    activity = read_activity(server)
    long, waiting = long_transactions(activity, server.read_at), lock_waits(activity)
    return _check(
        "activity",
        f"{activity.active} active sessions, {len(long)} long transactions, {len(waiting)} waiting for locks",
        not long and not waiting,
        *(f"process {one.pid} ({one.role}): in a transaction since {one.transaction_started_at}" for one in long),
        *(f"process {one.pid} waits for {', '.join(map(str, one.blocked_by))}" for one, _ in waiting),
        advice="Let them end, or end them; changes would queue behind them.",
    )


def _bloat(server: Server) -> Check:
    indexes = read_indexes(server, read_tables(server, None)).indexes
    broken = [one for one in indexes if one.is_broken]
    bloated = [one for one in indexes if one.is_bloated]
    return _check(
        "bloat",
        f"{len(broken)} broken, {len(bloated)} bloated of {len(indexes)}",
        not broken and not bloated,
        *(f"{one.name}: broken" for one in broken),
        *(f"{one.name}: {bytes_text(one.size_bytes)}, expected {bytes_text(one.expected_bytes)}" for one in bloated),
        advice="The plan builds broken indexes of the policy set anew; REINDEX bloated ones chunk by chunk.",
    )


def _workers(server: Server) -> Check:
    name = "timescaledb.max_background_workers"
    setting = next((one for one in read_settings(server) if one.name == name), None)
    if setting is None or setting.satisfied is None:
        return _unknown("workers", f"{name} cannot be seen", "Ask the administrator.")
    return _check(
        "workers",
        setting.text,
        setting.satisfied,
        f"source {setting.source}",
        advice=f"As an administrator: {setting.remedy_sql or f'set {name} to 8'}, and restart.",
    )


def _window(server: Server, connected: Connected, outside_window: str | None) -> Check:
    window = window_of(connected)
    return _check(
        "window",
        f"{instant_text(server.read_at)} by the server's clock, window {connected.maintenance_window}",
        window is None or window(server.read_at),
        advice=f"Gone on with outside it, for this reason: {outside_window}."
        if outside_window
        else "Wait for it, or give a reason with --outside-window.",
    )


def _backup(server: Server, connected: Connected) -> Check:
    if not connected.protected:
        return _check("backup", "not due: the environment is not protected", True)
    tool = backup.dump_tool(server.postgres_version[0])
    return _check("backup", f"pg_dump {tool.version}", True, str(tool.pg_dump), str(tool.pg_restore))
