"""Troubleshooting: usual causes of usual troubles, each looked for in the readings, with a remedy to copy."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import pandas as pd

from ms5ops.observe.activity import Activity, lock_waits, long_transactions
from ms5ops.observe.aggregates import Aggregate
from ms5ops.observe.index_remedies import drop_sql, quoted
from ms5ops.observe.index_review import counting
from ms5ops.observe.indexes import Index, IndexReading, unused
from ms5ops.observe.jobs import Job, job_state, last_messages
from ms5ops.observe.overview import Overview
from ms5ops.observe.settings import Setting, setting, setting_number
from ms5ops.observe.tables import Table
from ms5ops.policy.intervals import interval_sql
from ms5ops.units import bytes_text, interval_text

Topic = Literal["Compression jobs fail", "Aggregates lag", "Indexes cost more than they bring"]

MAX_RUNTIME_SHARE = 0.8
"""Own choice: a job whose last run took this share of its max_runtime is about to be cut off."""

_DISK_WORDS = ("no space left", "could not extend file", "disk full", "disk quota")
_RUNTIME_WORDS = (
    "max_runtime",
    "exceeded maximum",
    "canceling statement due to",
    "terminating background worker",
    "timed out",
)


@dataclass(frozen=True)
class Diagnosis:
    """One cause. ``found``: True it is at work, False it is not, None it cannot be told (``evidence`` says why).

    ``remedy_sql`` is text to copy; the console never runs it.
    """

    key: str
    topic: Topic
    cause: str
    found: bool | None
    evidence: tuple[str, ...]
    remedy: str
    remedy_sql: str


def diagnoses(overview: Overview, now: datetime | None = None) -> list[Diagnosis]:
    """Every cause of the troubleshooting list, in its order."""
    now = now or overview.now
    jobs, runs = overview.jobs.value, overview.job_runs.value
    activity, settings = overview.activity.value, overview.settings.value
    aggregates = overview.aggregates.value
    reading, tables = overview.indexes.value, overview.tables.found(())
    return [
        active_queries(activity, now),
        max_runtime(jobs, runs),
        disk_space(jobs, runs, tables),
        too_few_workers(jobs, settings, now, overview.server.started_at),
        schedules_overlap(jobs),
        aggregate_lag(aggregates),
        bloated_indexes(reading.indexes if reading else None, tables),
        unused_indexes(reading, now),
        autovacuum(settings, tables),
    ]


def active_queries(activity: Activity | None, now: datetime) -> Diagnosis:
    """Readers of a chunk keep it from being compressed: the job needs an exclusive lock on it at its end."""
    evidence: tuple[str, ...] = ("The sessions could not be read.",)
    found = None
    if activity is not None:
        long, waits = long_transactions(activity, now), lock_waits(activity)
        found = bool(long or waits)
        evidence = tuple(
            f"pid {one.pid} ({one.role}): transaction open since {one.transaction_started_at}" for one in long
        )
        evidence += tuple(f"pid {one.pid} waits for {', '.join(map(str, one.blocked_by))}" for one, _ in waits)
    return Diagnosis(
        "compression.active_queries",
        "Compression jobs fail",
        "Queries are active on the chunk",
        found,
        evidence or ("No long transaction and no lock wait just now.",),
        "End the long transaction, or let the job run when reports do not.",
        "SELECT pid, usename, state, now() - xact_start AS open_for, left(query, 80) AS query\n"
        "FROM pg_stat_activity WHERE xact_start IS NOT NULL ORDER BY xact_start;\n"
        "-- SELECT pg_terminate_backend(<pid>);",
    )


def max_runtime(jobs: Sequence[Job] | None, runs: pd.DataFrame | None) -> Diagnosis:
    """A run that takes longer than max_runtime is cancelled; the chunks it finished stay compressed."""
    evidence: tuple[str, ...] = ("The jobs could not be read.",)
    found, slow = None, []
    if jobs is not None:
        compressing = [job for job in jobs if job.kind == "compression"]
        messages = {} if runs is None else last_messages(runs)
        slow = [
            job for job in compressing if _near_max_runtime(job) or _mentions(messages.get(job.job_id), _RUNTIME_WORDS)
        ]
        found = bool(slow) if compressing else None
        evidence = tuple(
            f"job {job.job_id} ({job.target}): last run {interval_text(job.last_duration)}"
            + (f" of at most {interval_text(job.max_runtime)}" if job.max_runtime else ", without a limit")
            for job in compressing
        ) or ("There is no compression job.",)
    wanted = slow[0].job_id if slow else "<job_id>"
    return Diagnosis(
        "compression.max_runtime",
        "Compression jobs fail",
        "The job runs into its max_runtime",
        found,
        evidence,
        "Give it more time, or let it run more often so that each run has less to do.",
        f"SELECT alter_job({wanted}, max_runtime => interval '8 hours', schedule_interval => interval '6 hours');",
    )


def disk_space(jobs: Sequence[Job] | None, runs: pd.DataFrame | None, tables: Sequence[Table] = ()) -> Diagnosis:
    """The server does not tell its free disk space through SQL; failed runs mention it."""
    evidence: tuple[str, ...] = ("The runs of jobs could not be read.",)
    found = None
    dropping = [one for one in tables if one.expected and one.expected.drop_after is not None]
    name, largest = _largest(dropping)
    kept = largest.expected.drop_after if largest and largest.expected else None
    age = "<age>" if kept is None else interval_sql(kept)
    if jobs is not None and runs is not None:
        hits = {i: text for i, text in last_messages(runs).items() if _mentions(text, _DISK_WORDS)}
        found = True if hits else None
        evidence = tuple(f"job {i}: {text}" for i, text in hits.items()) or (
            "No run mentions it. Free space cannot be seen through SQL: look on the server (df -h).",
        )
    return Diagnosis(
        "compression.disk_space",
        "Compression jobs fail",
        "The disk is full",
        found,
        evidence,
        "Compressing a chunk needs room for its compressed copy. Free space (expire old rows first), then run the job "
        "again.",
        "SELECT pg_size_pretty(pg_database_size(current_database()));\n"
        f"-- SELECT drop_chunks({_literal(name)}, older_than => interval '{age}');",
    )


def too_few_workers(
    jobs: Sequence[Job] | None, settings: Sequence[Setting] | None, now: datetime, up_since: datetime | None = None
) -> Diagnosis:
    """Jobs that are due wait while all background workers are busy."""
    workers = setting_number(settings or (), "timescaledb.max_background_workers")
    evidence: tuple[str, ...] = (
        "The server does not tell timescaledb.max_background_workers, or the jobs could not be read.",
    )
    found = None
    if workers is not None and jobs is not None:
        running = [job for job in jobs if job.is_running]
        late = [job for job in jobs if job_state(job, now, up_since) in ("overdue", "never ran")]
        wish = setting(settings or (), "timescaledb.max_background_workers")
        found = bool(late) and (len(running) >= workers or bool(wish and wish.satisfied is False))
        evidence = (
            f"timescaledb.max_background_workers = {workers:.0f}",
            f"{len(running)} jobs running, {len(late)} late, {sum(job.scheduled for job in jobs)} scheduled",
        )
    return Diagnosis(
        "aggregates.workers",
        "Aggregates lag",
        "There are too few background workers",
        found,
        evidence,
        "At least 8, and two more than jobs start at once; the server must be restarted.",
        "ALTER SYSTEM SET timescaledb.max_background_workers = 8;\n"
        "ALTER SYSTEM SET max_worker_processes = 19;\n-- then restart the server",
    )


def schedules_overlap(jobs: Sequence[Job] | None) -> Diagnosis:
    """A refresh that takes longer than its interval runs into its next start."""
    evidence: tuple[str, ...] = ("The jobs could not be read.",)
    found, slow = None, []
    if jobs is not None:
        refreshing = [job for job in jobs if job.kind == "refresh" and job.last_duration is not None]
        slow = [job for job in refreshing if job.last_duration and job.last_duration >= job.schedule_interval]
        found = bool(slow) if refreshing else None
        evidence = tuple(
            f"{job.target}: last run {interval_text(job.last_duration)}, every {interval_text(job.schedule_interval)}"
            for job in refreshing
        ) or ("No refresh has run yet.",)
    wanted = slow[0].job_id if slow else "<job_id>"
    return Diagnosis(
        "aggregates.overlap",
        "Aggregates lag",
        "A refresh takes longer than its interval",
        found,
        evidence,
        "Refresh less often, or shorten start_offset so that each run has less to do.",
        f"SELECT alter_job({wanted}, schedule_interval => interval '5 minutes');",
    )


def aggregate_lag(aggregates: Sequence[Aggregate] | None) -> Diagnosis:
    """Which aggregates are further behind their source than their policy allows."""
    evidence: tuple[str, ...] = ("The aggregates could not be read.",)
    found, late = None, []
    if aggregates is not None:
        late = [one for one in aggregates if one.keeps_promise is False]
        known = [one for one in aggregates if one.keeps_promise is not None]
        found = bool(late) if known else None
        evidence = tuple(
            f"{one.aggregate}: {interval_text(one.lag_behind_source)} behind, {interval_text(one.promised)} allowed"
            for one in known
        ) or ("No aggregate has both a policy and data.",)
    name = quoted(*late[0].aggregate.split(".", 1)).replace("'", "''") if late else "<schema.aggregate>"
    return Diagnosis(
        "aggregates.lag",
        "Aggregates lag",
        "A refresh was missed",
        found,
        evidence,
        "Refresh the missing range by hand, never past what the source has kept: dropped rows would erase their "
        "summaries.",
        f"CALL refresh_continuous_aggregate('{name}', now() - interval '3 days', now() - interval '1 hour');",
    )


def bloated_indexes(indexes: Sequence[Index] | None, tables: Sequence[Table] = ()) -> Diagnosis:
    """Indexes much larger than their rows need (an estimate from column widths)."""
    evidence: tuple[str, ...] = ("The indexes could not be read.",)
    found, bloated = None, []
    if indexes is not None:
        bloated = [one for one in indexes if one.is_bloated]
        found = bool(bloated)
        evidence = tuple(
            f"{one.name}: {bytes_text(one.size_bytes)}, about {bytes_text(one.expected_bytes)} expected"
            for one in bloated
        )
    name = quoted(*bloated[0].table.split(".", 1)) if bloated else _largest(tables)[0]
    return Diagnosis(
        "indexes.bloat",
        "Indexes cost more than they bring",
        "Indexes are bloated",
        found,
        evidence or ("No index looks twice as large as its rows need.",),
        "Rebuild chunk by chunk: REINDEX of an index on a hypertable is refused, CONCURRENTLY on the table too.",
        "SELECT format('REINDEX INDEX CONCURRENTLY %s;', x.indexrelid::regclass)\n"
        f"FROM show_chunks({_literal(name)}, newer_than => interval '7 days') c\n"
        "JOIN pg_index x ON x.indrelid = c;\n-- then run each line that this gives, outside a transaction",
    )


def unused_indexes(reading: IndexReading | None, now: datetime) -> Diagnosis:
    """Indexes that no query has used; not to be told before a usual stretch of work has been counted."""
    evidence: tuple[str, ...] = ("The indexes could not be read.",)
    found, idle = None, []
    if reading is not None:
        idle, counted = unused(reading.indexes), counting(reading, now)
        found = None if idle and not counted.long_enough else bool(idle)
        evidence = tuple(f"{one.name} on {one.table}: {bytes_text(one.size_bytes)}, 0 scans" for one in idle[:20])
        evidence = (counted.text, *evidence) if idle else ()
    lines = "\n".join(f"-- {line}" for line in drop_sql(idle[:20]).splitlines())
    return Diagnosis(
        "indexes.unused",
        "Indexes cost more than they bring",
        "Indexes are not used",
        found,
        evidence or ("Every index has been used.",),
        "Drop those that no report needs, once a usual month has been counted. Each one less makes inserts faster and "
        "takes fewer locks.",
        lines or "-- nothing to drop",
    )


def autovacuum(settings: Sequence[Setting] | None, tables: Sequence[Table] = ()) -> Diagnosis:
    """Without autovacuum dead rows stay in tables and indexes."""
    found_setting = setting(settings or (), "autovacuum")
    value = found_setting.value if found_setting else None
    return Diagnosis(
        "indexes.autovacuum",
        "Indexes cost more than they bring",
        "Autovacuum is off",
        None if value is None else value != "on",
        (f"autovacuum = {value}",) if value else ("The setting could not be read.",),
        "Switch it on; on a busy hypertable let it start earlier (settings of a hypertable reach its chunks).",
        "ALTER SYSTEM SET autovacuum = on;\nSELECT pg_reload_conf();\n"
        f"ALTER TABLE {_largest(tables)[0]} SET (autovacuum_vacuum_scale_factor = 0.05, "
        "autovacuum_analyze_scale_factor = 0.02);",
    )


def _largest(tables: Sequence[Table]) -> tuple[str, Table | None]:
    """The largest hypertable, and its name as SQL; a place to fill in where there is none."""
    hypertables = [one for one in tables if one.kind == "hypertable"]
    if not hypertables:
        return "<schema.table>", None
    largest = max(hypertables, key=lambda one: one.size_bytes or 0)
    return quoted(largest.schema, largest.name), largest


def _literal(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def _near_max_runtime(job: Job) -> bool:
    limit = job.max_runtime.total_seconds()
    return bool(limit and job.last_duration and job.last_duration.total_seconds() >= MAX_RUNTIME_SHARE * limit)


def _mentions(message: str | None, words: Sequence[str]) -> bool:
    return any(word in (message or "").lower() for word in words)
