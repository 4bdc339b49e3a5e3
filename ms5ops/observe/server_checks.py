"""What is wrong with the server's working: edition, jobs, indexes, locks, settings, sessions."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd

from ms5ops.observe.activity import Activity, lock_waits, long_transactions
from ms5ops.observe.finding import Finding, Severity, counted, short
from ms5ops.observe.index_remedies import drop_sql, rebuild_sql
from ms5ops.observe.indexes import IndexReading, duplicates, unused
from ms5ops.observe.jobs import Job, common_failure, job_state, last_messages, overdue_by
from ms5ops.observe.locks import LockBudget
from ms5ops.observe.server import Server
from ms5ops.observe.settings import Setting
from ms5ops.units import bytes_text, count_text, interval_text

USAGE_COUNTED_LONG_ENOUGH = timedelta(days=7)
"""Own choice: an index is called unused only when a week's work did not need it."""

LOCKS_CRITICAL_BELOW = 2
LOCKS_WARNING_BELOW = 10
"""Queries over all chunks that fit the lock table at once; seen: at 5,000 chunks the third one failed."""

LOCKS_DEFAULT = 64
"""PostgreSQL's default of max_locks_per_transaction."""

BLOCKED_CRITICAL = timedelta(minutes=5)


def server_findings(server: Server) -> list[Finding]:
    """The policy set to judge by, edition and recovery."""
    found = []
    if server.policy_doubt is not None:
        found.append(
            Finding(
                key="server.policy",
                severity="warning",
                title="Readings are judged by the policy set that comes with ms5ops",
                detail=f"The one in force cannot be read. {server.policy_doubt.happened}",
                remedy=server.policy_doubt.next_step,
                page="rollout",
            )
        )
    if server.edition == "apache":
        found.append(
            Finding(
                key="server.edition",
                severity="critical",
                title="This server cannot compress, expire or aggregate data",
                detail="It runs the Apache edition of TimescaleDB, which has no compression, policies or continuous "
                "aggregates.",
                remedy="Ask the administrator for the Community build, which is free to use.",
                page="health",
                evidence=(server.version_text, "timescaledb.license = apache"),
                remedy_sql="ALTER SYSTEM SET timescaledb.license = 'timescale';\n-- then restart the server",
            )
        )
    if server.in_recovery:
        found.append(
            Finding(
                key="server.recovery",
                severity="info",
                title="This is a standby",
                detail="It copies another server: background jobs run there, and nothing can be changed here.",
                remedy="Connect to the primary to change anything.",
                page="health",
                evidence=("pg_is_in_recovery() = true",),
            )
        )
    if server.statements_version is None:
        found.append(
            Finding(
                key="server.statements",
                severity="info",
                title="The costliest statements cannot be named",
                detail="The extension pg_stat_statements is not installed in this database.",
                remedy="List it in shared_preload_libraries, restart, and create it.",
                page="health",
                evidence=("pg_extension has no pg_stat_statements",),
                remedy_sql="CREATE EXTENSION pg_stat_statements;",
            )
        )
    return found


def job_findings(
    jobs: Sequence[Job], runs: pd.DataFrame, now: datetime, up_since: datetime | None = None
) -> list[Finding]:
    """Jobs that fail, wait or are paused; many failing alike are one finding. The server's own jobs only inform."""
    found = []
    common = common_failure(jobs, runs)
    messages = last_messages(runs)
    if common:
        found.append(
            Finding(
                key="jobs.common_failure",
                severity="critical",
                title=f"{len(common.job_ids)} background jobs fail for one and the same reason",
                detail="When jobs of different kinds fail alike, the server is at fault, not their policies. Their "
                "work may "
                "be done all the same.",
                remedy="Check whether chunks are compressed and aggregates filled in spite of it; then update or mend "
                "the "
                "server.",
                page="jobs",
                evidence=(
                    f"message: {common.message}",
                    f"{len(common.job_ids)} of {common.of_jobs} jobs: {', '.join(map(str, common.job_ids))}",
                ),
            )
        )
    for job in jobs:
        state = job_state(job, now, up_since)
        if common and job.job_id in common.job_ids:
            continue
        if state == "failing":
            times = job.consecutive_failures
            message = messages.get(job.job_id)
            found.append(
                Finding(
                    key=f"jobs.failing.{job.job_id}",
                    severity=_weight(job, "critical" if (times or 0) >= 3 else "warning"),
                    title=f"Failing: {job.name}",
                    detail=f"The last run did not succeed{f', {times} in a row' if times and times > 1 else ''}.",
                    remedy="Read the message; the diagnosis list on Health names usual causes.",
                    page="jobs",
                    evidence=(
                        f"job {job.job_id}, {job.procedure}",
                        f"message: {message or 'not recorded'}",
                        f"{job.total_failures} of {job.total_runs} runs failed",
                    ),
                    remedy_sql=f"CALL run_job({job.job_id});",
                )
            )
        elif state in ("overdue", "never ran"):
            late = interval_text(overdue_by(job, now, up_since))
            found.append(
                Finding(
                    key=f"jobs.overdue.{job.job_id}",
                    severity=_weight(job, "critical" if state == "never ran" else "warning"),
                    title=f"{'Never ran' if state == 'never ran' else 'Late'}: {job.name}",
                    detail=f"It should have started {late} ago.",
                    remedy="Check that there are enough background workers and that the scheduler runs.",
                    page="jobs",
                    evidence=(
                        f"job {job.job_id}, next_start {job.next_start or job.initial_start}",
                        f"total_runs {job.total_runs}",
                    ),
                    remedy_sql="SELECT _timescaledb_functions.start_background_workers();",
                )
            )
        elif state == "paused" and job.kind not in ("system", "user"):
            found.append(
                Finding(
                    key=f"jobs.paused.{job.job_id}",
                    severity="warning",
                    title=f"Paused: {job.name}",
                    detail="Its schedule is switched off, so it never runs by itself.",
                    remedy="Switch it on again if that was not on purpose.",
                    page="jobs",
                    evidence=(f"job {job.job_id}, scheduled = false",),
                    remedy_sql=f"SELECT alter_job({job.job_id}, scheduled => true);",
                )
            )
    return found


def index_findings(reading: IndexReading, now: datetime) -> list[Finding]:
    """Broken, duplicate, unused and bloated indexes."""
    found = []
    for index in reading.indexes:
        if index.is_broken:
            found.append(  # noqa: PERF401  # one shape with the judgements below
                Finding(
                    key=f"indexes.broken.{index.schema}.{index.name}",
                    severity="critical",
                    title=f"Index {index.name} is incomplete",
                    detail="A build of it was cancelled or crashed; queries that need it are slow, and IF NOT EXISTS "
                    "skips it.",
                    remedy="Drop it and build it again.",
                    page="indexes",
                    evidence=(
                        f"valid {index.is_valid}",
                        f"{index.invalid_chunks} invalid, {index.missing_chunks} missing of {index.chunks} chunks",
                    ),
                    remedy_sql=rebuild_sql(index),
                )
            )
    for group in duplicates(reading.indexes):
        kept, *spare = group
        found.append(
            Finding(
                key=f"indexes.duplicate.{kept.schema}.{kept.name}",
                severity="warning",
                title=f"Indexes of {short(kept.table)} do the same work twice",
                detail=f"{', '.join(one.name for one in spare)} repeat {kept.name} and cost "
                f"{bytes_text(sum(one.size_bytes for one in spare))} and every insert.",
                remedy="Drop the spare ones.",
                page="indexes",
                evidence=tuple(one.definition for one in group),
                remedy_sql=drop_sql(spare) or None,
            )
        )
    idle = unused(reading.indexes)
    span = now - reading.counted_since if reading.counted_since else None
    if idle and span is not None:
        long_enough = span >= USAGE_COUNTED_LONG_ENOUGH
        found.append(
            Finding(
                key="indexes.unused",
                severity="warning" if long_enough else "info",
                title=f"{counted(len(idle), 'index has', 'indexes have')} not been used",
                detail=f"{'It takes' if len(idle) == 1 else 'They take'} "
                f"{bytes_text(sum(one.size_bytes for one in idle))} and {'slows' if len(idle) == 1 else 'slow'} every "
                f"insert. Usage has been counted for {interval_text(span)}.",
                remedy="Drop those that no report needs."
                if long_enough
                else "Wait until a usual week has been counted.",
                page="indexes",
                evidence=tuple(f"{one.name} on {one.table}: {bytes_text(one.size_bytes)}" for one in idle[:20]),
            )
        )
    bloated = [one for one in reading.indexes if one.is_bloated]
    if bloated:
        found.append(
            Finding(
                key="indexes.bloat",
                severity="info",
                title=f"{counted(len(bloated), 'index', 'indexes')} may be bloated",
                detail="They seem at least twice as large as their rows need (an estimate).",
                remedy="REINDEX them chunk by chunk in the maintenance window.",
                page="indexes",
                evidence=tuple(
                    f"{one.name}: {bytes_text(one.size_bytes)}, about {bytes_text(one.expected_bytes)} expected"
                    for one in bloated
                ),
            )
        )
    return found


def lock_findings(budget: LockBudget) -> list[Finding]:
    """A lock table too small for queries over all chunks."""
    fit, widest = budget.queries_at_once, budget.widest
    if fit is None or widest is None or fit >= LOCKS_WARNING_BELOW:
        return []
    return [
        Finding(
            key="locks.budget",
            severity="critical" if fit < LOCKS_CRITICAL_BELOW else "warning",
            title=f"Only {counted(fit, 'wide query', 'wide queries')} on {short(widest.table)} fit at once"
            if fit
            else f"Not even one wide query on {short(widest.table)} fits the lock table",
            detail="A query over its whole history locks every chunk and index; when the lock table is full, queries "
            "fail "
            '("out of shared memory").',
            remedy="Use longer chunks or fewer indexes, or raise max_locks_per_transaction (restart).",
            page="indexes",
            evidence=(
                f"{count_text(widest.chunks)} chunks x (1 + {widest.indexes} indexes) + compressed: "
                f"{count_text(widest.locks)} locks",
                f"{count_text(budget.slots)} slots",
            ),
            remedy_sql=f"ALTER SYSTEM SET max_locks_per_transaction = {_enough_locks(budget)};\n-- then restart the "
            "server",
        )
    ]


def setting_findings(settings: Sequence[Setting]) -> list[Finding]:
    """Settings that differ from what is wanted, and changes that wait for a restart."""
    found = [
        Finding(
            key=f"settings.{one.name}",
            severity="warning" if one.name in _WEIGHTY else "info",
            title=f"Setting {one.name} is {one.text}, wanted: {one.desired}",
            detail=one.why,
            remedy={
                "restart": "The administrator changes it and restarts.",
                "reload": "The administrator changes it; no restart.",
                "database": "Change it for this database.",
            }[one.reach],
            page="health",
            evidence=(f"{one.name} = {one.value}, from {one.source}",),
            remedy_sql=one.remedy_sql,
        )
        for one in settings
        if one.satisfied is False
    ]
    waiting = [one.name for one in settings if one.pending_restart]
    if waiting:
        found.append(
            Finding(
                key="settings.pending_restart",
                severity="info",
                title="Changed settings wait for a restart",
                detail=f"Not yet in effect: {', '.join(waiting)}.",
                remedy="Restart the server in the maintenance window.",
                page="health",
                evidence=tuple(waiting),
            )
        )
    return found


def activity_findings(activity: Activity, now: datetime) -> list[Finding]:
    """Transactions left open, and sessions that wait for locks."""
    found = []
    long = long_transactions(activity, now)
    if long:
        found.append(
            Finding(
                key="activity.long_transactions",
                severity="warning",
                title=f"{counted(len(long), 'transaction has', 'transactions have')} been open for long",
                detail="An open transaction keeps dead rows from being cleaned up and makes compression wait.",
                remedy="Ask their owners to end them.",
                page="health",
                evidence=tuple(
                    f"pid {one.pid}, {one.role}, {one.application}: {interval_text(now - one.transaction_started_at)}"
                    for one in long
                    if one.transaction_started_at
                ),
                remedy_sql="\n".join(f"SELECT pg_terminate_backend({one.pid});" for one in long),
            )
        )
    waits = lock_waits(activity)
    if waits:
        since = [now - one.query_started_at for one, _ in waits if one.query_started_at]
        longest = max(since, default=timedelta(0))
        found.append(
            Finding(
                key="activity.lock_waits",
                severity="critical" if longest > BLOCKED_CRITICAL else "warning",
                title=f"{counted(len(waits), 'session waits', 'sessions wait')} for others",
                detail=f"The longest has been waiting for up to {interval_text(longest)}.",
                remedy="See who blocks them and let that session finish.",
                page="health",
                evidence=tuple(
                    f"pid {one.pid} ({one.role}) waits for {', '.join(map(str, one.blocked_by))}: {one.query or ''}"[
                        :300
                    ]
                    for one, _ in waits
                ),
            )
        )
    return found


def _weight(job: Job, severity: Severity) -> Severity:
    """Telemetry fails wherever there is no internet: that is nobody's alarm."""
    return "info" if job.kind == "system" else severity


_WEIGHTY = ("timescaledb.max_background_workers", "max_worker_processes", "autovacuum")


def _enough_locks(budget: LockBudget) -> int:
    """Locks per transaction (a power of two times 64) at which ten wide queries fit, with connections as they are."""
    needed = LOCKS_WARNING_BELOW * (budget.widest.locks if budget.widest else 0)
    now = budget.locks_per_transaction or LOCKS_DEFAULT
    factor = needed / budget.slots if budget.slots else 1
    value = LOCKS_DEFAULT
    while value < now * factor:
        value *= 2
    return value
