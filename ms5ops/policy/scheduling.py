"""Rules of the schedule: how many jobs meet, what the refresh can promise, and when data is dropped."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from ms5ops.config import MaintenanceWindow
from ms5ops.policy.document import JobSchedule, PolicySet
from ms5ops.policy.intervals import interval_sql, parse_interval
from ms5ops.policy.measured import DAY, LintFinding, Measured, unjudged

PROMISED_LAG = timedelta(minutes=1)
"""Phase 4: the one-minute level lags one minute at most."""
WINDOW = MaintenanceWindow(start=time(22), end=time(6))
"""Phase 4's maintenance window, where the environment gives none."""

_MINUTE = timedelta(minutes=1)
_POSTGRES_WORKERS, _PARALLEL_WORKERS = 3, 8
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _DueJob:
    every: timedelta
    start: time | None


def background_workers(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """Jobs that can be due within the same minute, against the workers there are for them.

    A job without initial_start can meet any other; those with one meet where their minutes of the day agree. Of
    timescaledb.max_background_workers the launcher takes one and each database's scheduler another. Source: TimescaleDB
    (bgw_counter.c, "Launcher is 1 worker"; docs: databases + concurrent workers); starvation: TS#9918.
    """
    key = "settings.server.max_background_workers"
    wanted = policy.settings.server.max_background_workers
    workers = measured.max_background_workers if measured.max_background_workers is not None else wanted
    if workers is None:
        yield unjudged("background-workers", "server", "the number of background workers is not known", key)
        return
    for_jobs = workers - 1 - (measured.databases or 1)
    due = _most_due(_jobs(policy))
    if due <= for_jobs:
        return
    basis = "measured" if measured.max_background_workers is not None else "expected, not measured"
    enough = due + workers - for_jobs
    reason = (
        f"{due} jobs can be due within the same minute, and of {workers} background workers ({basis}) "
        f"{max(for_jobs, 0)} are left for jobs: {due - max(for_jobs, 0)} wait for a free one, the one-minute refresh "
        f"perhaps among them. timescaledb.max_background_workers = {enough} would do, with max_worker_processes = "
        f"{_POSTGRES_WORKERS + enough + (measured.max_parallel_workers or _PARALLEL_WORKERS)}."
    )
    yield LintFinding(
        "background-workers", "error" if for_jobs < 1 else "warning", "server", reason,
        "TimescaleDB: launcher and schedulers count as workers; TS#9918: jobs starve without an error", key,
    )  # fmt: skip


def worker_processes(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """max_worker_processes >= 3 + timescaledb.max_background_workers + max_parallel_workers.

    Source: TimescaleDB's configuration guide; 3 for PostgreSQL's own. max_parallel_workers is 8 where not measured.
    """
    key = "settings.server.max_worker_processes"
    server = policy.settings.server
    have = measured.max_worker_processes if measured.max_worker_processes is not None else server.max_worker_processes
    jobs = (
        measured.max_background_workers
        if measured.max_background_workers is not None
        else server.max_background_workers
    )
    if have is None or jobs is None:
        yield unjudged("worker-processes", "server", "the numbers of workers are not known", key)
        return
    parallel = measured.max_parallel_workers if measured.max_parallel_workers is not None else _PARALLEL_WORKERS
    least = _POSTGRES_WORKERS + jobs + parallel
    if have < least:
        basis = "measured" if measured.max_worker_processes is not None else "expected, not measured"
        reason = (
            f"max_worker_processes is {have} ({basis}), and {least} are wanted: {_POSTGRES_WORKERS} of PostgreSQL's "
            f"own, {jobs} background workers, {parallel} parallel workers. Jobs then fail to start a worker."
        )
        yield LintFinding(
            "worker-processes", "warning", "server", reason,
            "TimescaleDB: 3 + background workers + parallel workers", key,
        )  # fmt: skip


def refresh_lag(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """What the schedule of the one-minute level can promise: end_offset + bucket + schedule_interval, at worst.

    Source: Phase 4's matrix (at most one minute), which speaks of MS5.0's tables alone. With real-time aggregation the
    reader sees no lag at all.
    """
    if not policy.is_phase4:
        return
    for aggregate in policy.active_aggregates:
        if aggregate.bucket > _MINUTE:
            continue
        lag = aggregate.end_offset + aggregate.bucket + aggregate.schedule_interval
        promise = (
            f"Its refresh can promise {interval_sql(lag)} and the run's own time (end_offset + bucket + "
            f"schedule_interval), and {interval_sql(PROMISED_LAG)} is promised."
        )
        key = f"aggregates.{aggregate.name}.materialized_only"
        source = "Phase 4: lag of the one-minute level at most one minute"
        if lag <= PROMISED_LAG:
            continue
        if aggregate.materialized_only:
            reason = f"{promise} With materialized_only = true readers see that lag: set it to false."
            yield LintFinding("refresh-lag", "warning", aggregate.name, reason, source, key)
        else:
            reason = (
                f"{promise} Readers see none of it: materialized_only = false adds the rows that are not yet filled. A "
                "figure of materialised lag alone would miss the promise."
            )
            yield LintFinding("refresh-lag", "info", aggregate.name, reason, source, key)


def retention_off_peak(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """Retention starts and ends (by max_runtime) within the maintenance window, at the same time every day.

    Source: Phase 4's matrix (daily, off-peak; window 22:00-06:00); TS#7489: drops lock referenced tables.
    """
    window = measured.maintenance_window or WINDOW
    source = "retention daily, off-peak; TS#7489: drop_chunks locks tables that foreign keys point to"
    for table in policy.active_tables:
        if table.drop_after is None:
            continue
        schedule = policy.retention_schedule(table)
        key = f"tables.{table.name}.retention_start"
        if schedule.initial_start is None:
            reason = "Its retention has no initial_start: it runs when the job is made, and drifts with each run."
            yield LintFinding("retention-off-peak", "warning", table.name, reason, source, key)
            continue
        if not _within(window, schedule):
            limit = f"for {interval_sql(schedule.max_runtime)}" if schedule.max_runtime else "without a limit"
            reason = (
                f"Its retention starts at {schedule.initial_start:%H:%M} UTC and may run {limit}: not all of it is "
                f"within the maintenance window {window}."
            )
            yield LintFinding("retention-off-peak", "warning", table.name, reason, source, key)
        elif schedule.every % DAY:
            reason = (
                f"Its retention runs every {interval_sql(schedule.every)}: starts wander through the day, out of the "
                f"maintenance window {window}. Take whole days."
            )
            yield LintFinding(
                "retention-off-peak", "warning", table.name, reason, source, "schedules.retention.every"
            )  # fmt: skip


def moving_window(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """The job that moves an index's window keeps as long as the window says, and runs at least that often.

    Source: sql/phase4 (trim_realtime_index: config.keep_for); Phase 4 facts, point 1.
    """
    rule, source = (
        "moving-window",
        "now() cannot stand in an index predicate: a literal cut-off that a scheduled job moves",
    )
    for index in policy.active_indexes:
        if index.window is None or index.trim_job is None:
            continue
        job = policy.jobs[index.trim_job]
        key = f"jobs.{job.name}.config"
        try:
            keeps = parse_interval(str(job.config.get("keep_for", "")))
        except ValueError:
            yield unjudged(rule, index.name, f"{key} gives no keep_for that can be read", key)
            continue
        if keeps != index.window:
            reason = f"Its window is {interval_sql(index.window)}, but {job.name} keeps {interval_sql(keeps)}: " + (
                "newer rows would lose the index." if keeps < index.window else "the index grows beyond its window."
            )
            yield LintFinding(rule, "error" if keeps < index.window else "warning", index.name, reason, source, key)
        if job.every > index.window:
            reason = f"{job.name} runs every {interval_sql(job.every)}, longer than the window: the index doubles."
            yield LintFinding(rule, "warning", index.name, reason, source, f"jobs.{job.name}.every")


def _within(window: MaintenanceWindow, schedule: JobSchedule) -> bool:
    """Whether a run lies in the window from its start to its max_runtime, looked at minute by minute."""
    if schedule.initial_start is None or not timedelta() < schedule.max_runtime < DAY:
        return False
    start = datetime.combine(_ANY_DAY, schedule.initial_start, tzinfo=UTC)
    minutes = -(-schedule.max_runtime // _MINUTE)
    return all(window.contains(start + minute * _MINUTE) for minute in range(minutes))


def _jobs(policy: PolicySet) -> list[_DueJob]:
    compression = policy.schedules.compression
    jobs = [
        _DueJob(compression.every, compression.initial_start)
        for table in policy.active_tables
        if table.compress_after is not None
    ]
    for table in policy.active_tables:
        if table.drop_after is not None:
            schedule = policy.retention_schedule(table)
            jobs.append(_DueJob(schedule.every, schedule.initial_start))
    for aggregate in policy.active_aggregates:
        jobs.append(_DueJob(aggregate.schedule_interval, None))
        if aggregate.compress_after is not None:
            jobs.append(_DueJob(compression.every, compression.initial_start))
        if aggregate.drop_after is not None:
            retention = policy.schedules.retention
            jobs.append(_DueJob(retention.every, retention.initial_start))
    return jobs + [_DueJob(job.every, None) for job in policy.active_jobs]


def _most_due(jobs: list[_DueJob]) -> int:
    """The most jobs that can fall into one minute."""
    free = sum(job.start is None for job in jobs)
    minutes: Counter[int] = Counter()
    for job in jobs:
        if job.start is None:
            continue
        first = job.start.hour * 60 + job.start.minute
        step = max(int(job.every / _MINUTE), 1)
        if DAY % job.every:
            free += 1  # wanders through the day
            continue
        minutes.update({(first + step * turn) % 1440 for turn in range(max(1440 // step, 1))})
    return free + max(minutes.values(), default=0)
