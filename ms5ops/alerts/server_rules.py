"""Rules over one reading of the server. Each is a pure function from records to the conditions that hold."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd

from ms5ops.alert_settings import BacklogRule, JobsRule, LagRule, RatioRule, RetentionRule, StorageRule
from ms5ops.alerts.candidate import Candidate, Severity
from ms5ops.errors import Ms5opsError
from ms5ops.observe.aggregates import Aggregate, retention_conflict
from ms5ops.observe.compression import TableCompression
from ms5ops.observe.data_checks import poor_reason
from ms5ops.observe.finding import counted, short
from ms5ops.observe.forecast import reach
from ms5ops.observe.growth import Outlook
from ms5ops.observe.jobs import Job, common_failure, last_messages, overdue_by
from ms5ops.observe.retention import TableRetention
from ms5ops.observe.savings import saved_text
from ms5ops.units import bytes_text, duration_text, interval_text, percent_text

CRITICAL_FAILURES = 3
"""As on Health: a job that failed three times in a row does not mend itself."""
CRITICAL_LAG_TIMES = 10.0
"""Own choice: an aggregate ten times as far behind as promised is not fed any more."""
GB = 1_000_000_000
MB = 1_000_000


def server(unreachable: Ms5opsError | None) -> tuple[Candidate, ...]:
    """The server cannot be read at all."""
    if unreachable is None:
        return ()
    return (
        Candidate(
            key="server.unreachable",
            rule="server",
            subject="Server",
            severity="critical",
            sentence=f"The server could not be read. {unreachable.happened}",
            next_step=unreachable.next_step,
            page="health",
        ),
    )


def jobs(
    found: Sequence[Job], runs: pd.DataFrame, now: datetime, up_since: datetime | None, rule: JobsRule
) -> tuple[Candidate, ...]:
    """Jobs that fail, are late, never ran or are paused; many failing alike are one. The server's own do not alarm."""
    common = common_failure(found, runs)
    messages = last_messages(runs)
    alike = common.job_ids if common else ()
    alerts = []
    if common:
        alerts.append(
            Candidate(
                key="jobs.common_failure",
                rule="jobs",
                subject=f"{len(alike)} background jobs",
                severity="critical",
                sentence=f"{len(alike)} of {common.of_jobs} background jobs fail for one reason: {common.message}.",
                next_step="The server is at fault, not their policies: check its log, and whether their work is done.",
                page="jobs",
                value=float(len(alike)),
                threshold=CRITICAL_FAILURES,
                unit="failures",
            )
        )
    for job in found:
        if job.kind == "system":
            continue
        failures = _failures(job)
        late = overdue_by(job, now, up_since)
        if failures >= rule.failures and job.job_id not in alike:
            alerts.append(_failing(job, failures, messages.get(job.job_id), rule))
        elif late is not None and late > timedelta(minutes=rule.overdue_minutes) and not failures:
            alerts.append(_late(job, late, rule))
        elif not job.scheduled and job.is_policy and job.kind != "retention":  # retention tells of its own
            alerts.append(_paused(job))
    return tuple(alerts)


def lag(aggregates: Sequence[Aggregate], rule: LagRule) -> tuple[Candidate, ...]:
    """Aggregates further behind their source than ``times_promised`` times what their policy allows."""
    alerts = []
    for one in aggregates:
        behind, promised = one.lag_behind_source, one.promised
        if behind is None or promised is None or behind <= promised * rule.times_promised:
            continue
        alerts.append(
            Candidate(
                key=f"lag.{one.aggregate}",
                rule="lag",
                subject=short(one.aggregate),
                severity="critical" if behind > promised * CRITICAL_LAG_TIMES else "warning",
                sentence=f"{short(one.aggregate)} is {interval_text(behind)} behind its data; its refresh policy "
                f"allows {interval_text(promised)}.",
                next_step="See whether its refresh job runs, fails or waits for a worker (Jobs).",
                page="aggregates",
                value=behind.total_seconds(),
                threshold=(promised * rule.times_promised).total_seconds(),
                unit="seconds",
            )
        )
    return tuple(alerts)


def backlog(compression: Sequence[TableCompression], rule: BacklogRule) -> tuple[Candidate, ...]:
    """Chunks that at least one run of the compression job has left behind."""
    return tuple(
        Candidate(
            key=f"backlog.{one.table}",
            rule="backlog",
            subject=short(one.table),
            severity="warning",
            sentence=f"Compression of {short(one.table)} is behind: {counted(one.late_chunks, 'chunk', 'chunks')} "
            f"should have been compressed by now, and {bytes_text(one.backlog_bytes)} wait at full size.",
            next_step="See whether its job runs, fails or ends at its max_runtime (Jobs).",
            page="compression",
            value=float(one.late_chunks),
            threshold=float(rule.late_chunks),
            unit="chunks",
        )
        for one in compression
        if one.late_chunks >= rule.late_chunks
    )


def ratio(compression: Sequence[TableCompression], rule: RatioRule) -> tuple[Candidate, ...]:
    """Tables of some size on which compression saves less than ``least_saved``."""
    return tuple(
        Candidate(
            key=f"ratio.{one.table}",
            rule="ratio",
            subject=short(one.table),
            severity="warning",
            sentence=f"Compression saves {saved_text(one.saved_share)} on {short(one.table)}, and the target is "
            f"{percent_text(rule.least_saved)} ({poor_reason(one)}).",
            next_step="Look at its chunk length, segment-by and order-by (Compression).",
            page="compression",
            value=one.saved_share,
            threshold=rule.least_saved,
            unit="share",
        )
        for one in compression
        if one.saved_share is not None and one.saved_share < rule.least_saved and one.before_bytes >= rule.least_mb * MB
    )


def retention(
    policies: Sequence[TableRetention], aggregates: Sequence[Aggregate], rule: RetentionRule
) -> tuple[Candidate, ...]:
    """Retention that does not run, and retention whose drops the next refresh would repeat in an aggregate."""
    alerts = [_kept_too_long(one, rule) for one in policies if one.late_chunks >= rule.late_chunks]
    alerts += [
        Candidate(
            key=f"retention.paused.{one.table}",
            rule="retention",
            subject=short(one.table),
            severity="warning",
            sentence=f"The retention job of {short(one.table)} is paused: nothing deletes its old rows.",
            next_step=_switch_on(one.job_id),
            page="jobs",
        )
        for one in policies
        if one.job_id is not None and not one.scheduled and one.late_chunks < rule.late_chunks
    ]
    for one in aggregates:
        conflict = retention_conflict(one)
        if conflict:
            alerts.append(
                Candidate(
                    key=f"retention.under.{one.aggregate}",
                    rule="retention",
                    subject=short(one.aggregate),
                    severity="critical",
                    sentence=f"History in {short(one.aggregate)} is in danger: {conflict}.",
                    next_step="Shorten its refresh window (start_offset), or keep the source longer, before the next "
                    "chunk is dropped.",
                    page="aggregates",
                    value=_seconds(one.start_offset, one.schedule_interval),
                    threshold=one.source_drop_after.total_seconds() if one.source_drop_after else None,
                    unit="seconds",
                )
            )
    return tuple(alerts)


def storage(size_bytes: int, ahead: Outlook, rule: StorageRule) -> tuple[Candidate, ...]:
    """The database is past its limit, or is expected to pass it within ``days_ahead`` days; nothing without a limit.

    What is in the database and not in the forecast's tables is taken to stay as it is.
    """
    if rule.limit_gb is None:
        return ()
    limit = rule.limit_gb * GB
    if size_bytes >= limit:
        return (
            _storage(
                "critical", f"The database takes {bytes_text(size_bytes)}, over its limit of {bytes_text(limit)}.",
                size_bytes, limit,
            ),
        )  # fmt: skip
    outside = max(0.0, size_bytes - ahead.stored_bytes)
    frame = ahead.frame.head(rule.days_ahead)
    day = reach(frame, limit - outside).expected
    if day is None:
        return ()
    expected = float(frame.loc[frame["day"] == day, "expected_bytes"].iloc[0]) + outside
    return (
        _storage(
            "warning", f"The database takes {bytes_text(size_bytes)} and is expected to pass its limit of "
            f"{bytes_text(limit)} on {day:%Y-%m-%d}.", expected, limit,
        ),
    )  # fmt: skip


def _storage(severity: Severity, sentence: str, value: float, limit: float) -> Candidate:
    return Candidate(
        key="storage.limit",
        rule="storage",
        subject="Database size",
        severity=severity,
        sentence=sentence,
        next_step="Compress earlier, keep raw rows for less long, or make room (Storage shows what takes it).",
        page="storage",
        value=value,
        threshold=limit,
        unit="bytes",
    )


def _failures(job: Job) -> int:
    """Failed runs in a row; a job that is trying again has not succeeded yet."""
    if job.is_running:
        return job.consecutive_failures or 0
    if not job.scheduled or job.last_succeeded is not False:
        return 0
    return max(1, job.consecutive_failures or 0)


def _failing(job: Job, failures: int, message: str | None, rule: JobsRule) -> Candidate:
    return Candidate(
        key=f"jobs.failing.{job.job_id}",
        rule="jobs",
        subject=_name(job),
        severity="critical" if failures >= CRITICAL_FAILURES else "warning",
        sentence=f"Job {job.job_id} ({job.name}) failed {counted(failures, 'time', 'times')} in a row"
        f"{f': {message}' if message else ''}.",
        next_step="Read its runs on Jobs; the diagnosis list on Health names usual causes.",
        page="jobs",
        value=float(failures),
        threshold=float(rule.failures),
        unit="failures",
    )


def _late(job: Job, late: timedelta, rule: JobsRule) -> Candidate:
    never = job.total_runs == 0
    return Candidate(
        key=f"jobs.overdue.{job.job_id}",
        rule="jobs",
        subject=_name(job),
        severity="critical" if never else "warning",
        sentence=f"Job {job.job_id} ({job.name}) {'has never run and ' if never else ''}should have started "
        f"{duration_text(late.total_seconds())} ago.",
        next_step="Check that the scheduler runs and that there are enough background workers (Health).",
        page="jobs",
        value=late.total_seconds(),
        threshold=rule.overdue_minutes * 60,
        unit="seconds",
    )


def _paused(job: Job) -> Candidate:
    return Candidate(
        key=f"jobs.paused.{job.job_id}",
        rule="jobs",
        subject=_name(job),
        severity="warning",
        sentence=f"Job {job.job_id} ({job.name}) is paused: it never runs by itself.",
        next_step=_switch_on(job.job_id),
        page="jobs",
    )


def _switch_on(job_id: int) -> str:
    return f"Switch it on again where that was not on purpose: SELECT alter_job({job_id}, scheduled => true)."


def _kept_too_long(one: TableRetention, rule: RetentionRule) -> Candidate:
    return Candidate(
        key=f"retention.late.{one.table}",
        rule="retention",
        subject=short(one.table),
        severity="warning",
        sentence=f"Old data of {short(one.table)} is not being deleted: "
        f"{counted(one.late_chunks, 'chunk is', 'chunks are')} older than {interval_text(one.drop_after)} "
        f"({bytes_text(one.eligible_bytes)}).",
        next_step="See whether its retention job runs, fails or is paused (Jobs).",
        page="jobs",
        value=float(one.late_chunks),
        threshold=float(rule.late_chunks),
        unit="chunks",
    )


def _name(job: Job) -> str:
    return job.name[:1].upper() + job.name[1:]


def _seconds(*spans: timedelta | None) -> float | None:
    """Their sum; None where the first is (a window without a beginning)."""
    if spans[0] is None:
        return None
    return sum(span.total_seconds() for span in spans if span is not None)
