"""Background jobs: schedule, outcome, lag, and whether many failures have one cause."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import pandas as pd

from ms5ops.observe.chunks import INSTANT, instants
from ms5ops.observe.server import Server
from ms5ops.observe.tables import Table, by_storage

JobKind = Literal["compression", "retention", "refresh", "reorder", "system", "user"]
JobState = Literal["running", "paused", "new", "never ran", "failing", "overdue", "ok"]

OVERDUE_AFTER = timedelta(minutes=5)
"""Phase 4's target: background jobs start within 5 minutes of their schedule."""

RUNS_KEPT = timedelta(days=30)
RUNS_LIMIT = 5_000

_KINDS: dict[str, JobKind] = {
    "policy_compression": "compression",
    "policy_recompression": "compression",
    "policy_columnstore": "compression",
    "policy_retention": "retention",
    "policy_refresh_continuous_aggregate": "refresh",
    "policy_reorder": "reorder",
}
_SYSTEM_SCHEMAS = ("_timescaledb_functions", "_timescaledb_internal", "timescaledb_experimental")

RUN_DTYPES: dict[str, str] = {
    "job_id": "int64",
    "job": "str",
    "kind": "str",
    "target": "str",
    "start": INSTANT,
    "finish": INSTANT,
    "duration_s": "float64",
    "succeeded": "boolean",
    "is_running": "bool",
    "error_code": "str",
    "message": "str",
}
"""Columns of a runs frame; ``succeeded`` is missing while running and where a job crashed."""


@dataclass(frozen=True)
class Job:
    """One background job. ``target`` is the user-facing ``schema.name`` it works on, None for jobs without one.

    ``compress_after`` ... ``end_offset`` are from ``config`` where they are intervals. ``next_start`` is None while
    the job is paused, running or due at once. ``last_start`` None: it never ran. Consecutive counts are None where
    the server does not tell.
    """

    job_id: int
    kind: JobKind
    name: str
    procedure: str
    owner: str
    target: str | None
    schedule_interval: timedelta
    max_runtime: timedelta
    max_retries: int
    retry_period: timedelta
    scheduled: bool
    fixed_schedule: bool
    config: Mapping[str, Any]
    compress_after: timedelta | None
    drop_after: timedelta | None
    start_offset: timedelta | None
    end_offset: timedelta | None
    initial_start: datetime | None
    next_start: datetime | None
    last_start: datetime | None
    last_finish: datetime | None
    last_successful_finish: datetime | None
    last_duration: timedelta | None
    last_succeeded: bool | None
    is_running: bool
    total_runs: int
    total_successes: int
    total_failures: int
    consecutive_failures: int | None
    consecutive_crashes: int | None

    @property
    def is_policy(self) -> bool:
        """Whether it compresses, drops, refreshes or reorders."""
        return self.kind not in ("system", "user")

    @property
    def success_rate(self) -> float | None:
        """Share of finished runs that succeeded, None where none finished."""
        finished = self.total_successes + self.total_failures
        return self.total_successes / finished if finished else None


@dataclass(frozen=True)
class CommonFailure:
    """Several jobs that failed with one message: a problem of the server, not of their policies."""

    message: str
    job_ids: tuple[int, ...]
    of_jobs: int


def read_jobs(server: Server, tables: Sequence[Table]) -> tuple[Job, ...]:
    """All jobs of the database that the role may see, the server's own included (kind "system")."""
    return jobs_from(server.rows("jobs"), tables)


def read_job_runs(server: Server, jobs: Sequence[Job], since: datetime, limit: int = RUNS_LIMIT) -> pd.DataFrame:
    """Recorded runs since then, newest first (``RUN_DTYPES``).

    Before 2.15 only failures are recorded; later, successes only with timescaledb.enable_job_execution_logging.
    Only jobs of roles that the reading role belongs to are told, except to the database's owner.
    """
    return runs_frame(server.frame("job_runs", since=since, limit=limit), jobs)


def jobs_from(rows: Sequence[Mapping[str, Any]], tables: Sequence[Table]) -> tuple[Job, ...]:
    """The records for rows of the query ``jobs``; ``tables`` resolve materialised hypertables to their aggregates."""
    known = by_storage(tables)
    return tuple(_job(row, known) for row in rows)


def runs_frame(rows: pd.DataFrame, jobs: Sequence[Job]) -> pd.DataFrame:
    """Rows of the query ``job_runs`` with the job's name, kind and target and the documented dtypes."""
    known = {job.job_id: job for job in jobs}
    frame = pd.DataFrame(index=rows.index)
    named = [known.get(job_id) for job_id in rows["job_id"]]
    frame["job_id"] = rows["job_id"].astype("int64")
    frame["job"] = pd.Series(
        [job.name if job else f"job {i}" for job, i in zip(named, rows["job_id"], strict=True)], rows.index, "str"
    )
    frame["kind"] = pd.Series([job.kind if job else None for job in named], rows.index, "str")
    frame["target"] = pd.Series([job.target if job else None for job in named], rows.index, "str")
    frame["start"] = instants(rows["start"])
    frame["finish"] = instants(rows["finish"])
    frame["duration_s"] = (frame["finish"] - frame["start"]).dt.total_seconds()
    frame["succeeded"] = rows["succeeded"].astype("boolean")
    frame["is_running"] = rows["is_running"].astype("bool")
    frame["error_code"] = rows["error_code"].astype("str")
    frame["message"] = rows["message"].astype("str")
    return frame


def policy_of(jobs: Sequence[Job], kind: JobKind, target: str) -> Job | None:
    """The job of that kind on that relation (``schema.name``); the scheduled one where there are several."""
    found = [job for job in jobs if job.kind == kind and job.target == target]
    return max(found, key=lambda job: job.scheduled, default=None)


def overdue_by(job: Job, now: datetime, up_since: datetime | None = None) -> timedelta | None:
    """How long past its next start a scheduled job is waiting; None where it is not due or is running.

    ``up_since``: when the server started. No job can be blamed for the time before.
    """
    if not job.scheduled or job.is_running:
        return None
    due = job.next_start or (job.initial_start if job.last_start is None else None)
    if due is None:
        return None
    due = max(due, up_since) if up_since else due
    return now - due if due < now else None


def job_state(job: Job, now: datetime, up_since: datetime | None = None) -> JobState:
    """One word for a job: "failing" when its last run failed, "overdue" when it is late by ``OVERDUE_AFTER``.

    A job without a run is "new", and "never ran" once it is overdue.
    """
    late = overdue_by(job, now, up_since)
    is_late = late is not None and late > OVERDUE_AFTER
    if job.is_running:
        return "running"
    if not job.scheduled:
        return "paused"
    if job.last_succeeded is False:
        return "failing"
    if job.total_runs == 0:
        return "never ran" if is_late else "new"
    return "overdue" if is_late else "ok"


def handled_until(job: Job, now: datetime) -> datetime | None:
    """The instant whose work must be done by now: the last ended run's start, at least two intervals ago.

    None where it never ran (``job_state`` says so then).
    """
    if job.last_start is None:
        return None
    ended = job.last_start - job.schedule_interval if job.is_running else job.last_start
    return max(ended, now - 2 * job.schedule_interval)


def last_messages(runs: pd.DataFrame) -> dict[int, str]:
    """The message of each job's newest recorded run that did not succeed."""
    failed = runs[~runs["succeeded"].fillna(False) & ~runs["is_running"] & runs["message"].notna()]
    newest = failed.sort_values("start", ascending=False, na_position="last").drop_duplicates("job_id")
    return {int(job_id): str(message) for job_id, message in zip(newest["job_id"], newest["message"], strict=True)}


def common_failure(jobs: Sequence[Job], runs: pd.DataFrame) -> CommonFailure | None:
    """The message with which at least three jobs of two kinds, and most of those that ran, last failed.

    Seen on PostgreSQL 15.20: every job is recorded as failed with 'cannot drop portal "" while it is being set up'
    though its work is done.
    """
    ran = [job for job in jobs if job.total_runs > 0 and job.scheduled]
    messages = last_messages(runs)
    failing = {
        job.job_id: messages[job.job_id] for job in ran if job.last_succeeded is False and job.job_id in messages
    }
    if not failing:
        return None
    message, times = Counter(failing.values()).most_common(1)[0]
    culprits = [job for job in ran if failing.get(job.job_id) == message]
    if times < 3 or len({job.kind for job in culprits}) < 2 or times * 2 <= len(ran):
        return None
    return CommonFailure(message, tuple(job.job_id for job in culprits), len(ran))


def _job(row: Mapping[str, Any], known: Mapping[tuple[str, str], Table]) -> Job:
    target = None
    if row["target_name"] is not None:
        table = known.get((row["target_schema"], row["target_name"]))
        target = table.qualified if table else f"{row['target_schema']}.{row['target_name']}"
    kind = _kind(row)
    # A user's own job may use such keys in a meaning of its own.
    intervals: dict[str, Any] = {
        key: None if kind in ("user", "system") else row[key]
        for key in ("compress_after", "drop_after", "start_offset", "end_offset")
    }
    verb = {"compression": "compress", "retention": "drop old rows of", "refresh": "refresh", "reorder": "reorder"}.get(
        kind
    )
    config = row["config"]
    return Job(
        kind=kind,
        name=f"{verb} {target.partition('.')[2]}" if verb and target else row["proc_name"],
        procedure=f"{row['proc_schema']}.{row['proc_name']}",
        target=target,
        config=dict(config) if isinstance(config, Mapping) else {},
        **intervals,
        **{
            key: row[key]
            for key in (
                "job_id", "owner", "schedule_interval", "max_runtime", "max_retries", "retry_period", "scheduled",
                "fixed_schedule", "initial_start", "next_start", "last_start", "last_finish", "last_successful_finish",
                "last_duration", "last_succeeded", "is_running", "total_runs", "total_successes", "total_failures",
                "consecutive_failures", "consecutive_crashes",
            )
        },
    )  # fmt: skip


def _kind(row: Mapping[str, Any]) -> JobKind:
    if row["proc_schema"] in _SYSTEM_SCHEMAS:
        return _KINDS.get(row["proc_name"], "system")
    return "user"
