"""The schedule of background jobs: what happens next, what waits, and how all of them do in one sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from ms5ops.observe.chunks import INSTANT
from ms5ops.observe.finding import Severity
from ms5ops.observe.jobs import Job, JobState, common_failure, job_state, overdue_by
from ms5ops.observe.run_history import lane_names
from ms5ops.observe.verdict import Verdict
from ms5ops.units import interval_text

JOB_DTYPES = {
    "job_id": "int64", "job": "str", "state": "str", "kind": "str", "target": "str", "every": "str",
    "last_start": INSTANT, "duration_s": "float64", "next_start": INSTANT, "overdue_s": "float64",
    "success_rate": "float64", "runs": "int64", "failures": "int64", "in_a_row": "Int64", "owner": "str",
    "procedure": "str",
}  # fmt: skip
"""Columns of ``job_frame``; ``overdue_s`` is missing for jobs that are not due."""

STATE_WORDS: dict[JobState, str] = {
    "running": "running now",
    "paused": "paused",
    "new": "not run yet",
    "never ran": "never ran",
    "failing": "last run failed",
    "overdue": "late",
    "ok": "on schedule",
}


LASTING = 3
"""Failures in a row from which on a job's trouble is critical, as in the findings."""


@dataclass(frozen=True)
class Start:
    """A start to come. ``at`` None: due at once. ``late`` where it should have been more than a moment ago."""

    job_id: int
    job: str
    at: datetime | None
    late: timedelta | None


@dataclass(frozen=True)
class JobSummary:
    """All jobs, TimescaleDB's own included, in numbers and one sentence; the tuples hold names for people.

    ``success_rate`` is over all finished runs since each job was made. ``longest_wait`` is of a job that is due now.
    """

    verdict: Verdict
    jobs: int
    fine: int
    failing: tuple[str, ...]
    late: tuple[str, ...]
    never_ran: tuple[str, ...]
    paused: tuple[str, ...]
    running: tuple[str, ...]
    not_yet_due: tuple[str, ...]
    success_rate: float | None
    finished_runs: int
    longest_wait: timedelta | None
    longest_wait_job: str | None


def upcoming(jobs: Sequence[Job], now: datetime, up_since: datetime | None = None) -> list[Start]:
    """The next start of every scheduled job that is not running, soonest (or longest due) first."""
    names = lane_names(jobs)
    starts = [
        Start(job.job_id, names[job.job_id], due(job), overdue_by(job, now, up_since))
        for job in jobs
        if job.scheduled and not job.is_running
    ]
    return sorted(starts, key=lambda start: (start.at or now, start.job))


def due(job: Job) -> datetime | None:
    """When it starts next: its next start, or its first where it never ran; None: at once."""
    return job.next_start or (job.initial_start if job.last_start is None else None)


def job_frame(jobs: Sequence[Job], now: datetime, up_since: datetime | None = None) -> pd.DataFrame:
    """One row per job, those that need someone first (``JOB_DTYPES``)."""
    names = lane_names(jobs)
    rows = []
    for job in jobs:
        late = overdue_by(job, now, up_since)
        rows.append(
            {
                "job_id": job.job_id,
                "job": names[job.job_id],
                "state": STATE_WORDS[job_state(job, now, up_since)],
                "kind": job.kind,
                "target": job.target,
                "every": interval_text(job.schedule_interval),
                "last_start": job.last_start,
                "duration_s": job.last_duration.total_seconds() if job.last_duration is not None else None,
                "next_start": due(job) if job.scheduled and not job.is_running else None,
                "overdue_s": late.total_seconds() if late is not None else None,
                "success_rate": job.success_rate,
                "runs": job.total_runs,
                "failures": job.total_failures,
                "in_a_row": job.consecutive_failures,
                "owner": job.owner,
                "procedure": job.procedure,
            }
        )
    frame = pd.DataFrame(rows, columns=list(JOB_DTYPES)).astype(JOB_DTYPES)
    gravest = [STATE_WORDS[state] for state in ("failing", "never ran", "overdue", "paused", "running", "new", "ok")]
    frame["_gravity"] = frame["state"].map(gravest.index)
    return frame.sort_values(["_gravity", "job"], kind="stable").drop(columns="_gravity").reset_index(drop=True)


def job_summary(jobs: Sequence[Job], runs: pd.DataFrame, now: datetime, up_since: datetime | None = None) -> JobSummary:
    """``runs`` are ``jobs.read_job_runs``': a failure that many share is the server's. ``up_since``: ``overdue_by``."""
    names = lane_names(jobs)
    found = _by_state(jobs, names, now, up_since)
    waits = [(late, names[job.job_id]) for job in jobs if (late := overdue_by(job, now, up_since)) is not None]
    longest = max(waits, default=None)
    successes = sum(job.total_successes for job in jobs)
    finished = successes + sum(job.total_failures for job in jobs)
    return JobSummary(
        verdict=_verdict(jobs, runs, now, up_since),
        jobs=len(jobs),
        fine=sum(len(found[state]) for state in ("ok", "running", "new")),
        failing=found["failing"],
        late=found["overdue"],
        never_ran=found["never ran"],
        paused=found["paused"],
        running=found["running"],
        not_yet_due=found["new"],
        success_rate=successes / finished if finished else None,
        finished_runs=finished,
        longest_wait=longest[0] if longest else None,
        longest_wait_job=longest[1] if longest else None,
    )


def _by_state(
    jobs: Sequence[Job], names: Mapping[int, str], now: datetime, up_since: datetime | None
) -> dict[JobState, tuple[str, ...]]:
    return {
        state: tuple(names[job.job_id] for job in jobs if job_state(job, now, up_since) == state)
        for state in STATE_WORDS
    }


def _verdict(jobs: Sequence[Job], runs: pd.DataFrame, now: datetime, up_since: datetime | None) -> Verdict:
    """TimescaleDB's own jobs alone raise no alarm: its telemetry fails wherever there is no internet."""
    common = common_failure(jobs, runs)
    if common:
        return Verdict(
            "critical",
            f"{len(common.job_ids)} of {common.of_jobs} jobs fail with one and the same message: that is a problem of "
            "the server, not of their policies.",
        )
    names = lane_names(jobs)
    housekeeping = [job for job in jobs if job.kind == "system"]
    own = [job for job in jobs if job.kind != "system"]
    troubles, gravest = _troubles(own, names, now, up_since)
    if troubles:
        return Verdict(gravest, f"{' and '.join(troubles)}.")
    minor, _ = _troubles(housekeeping, names, now, up_since)
    aside = f" Of TimescaleDB's own housekeeping, {' and '.join(minor)}." if minor else ""
    if not own:
        return Verdict("info", f"No background job works on the tables.{aside}")
    paused = _by_state(own, names, now, up_since)["paused"]
    if paused:
        return Verdict("warning", f"{_some(paused)} paused: nothing does that work until it is switched on.{aside}")
    fine = own if minor else jobs
    subject = "The only job is" if len(fine) == 1 else f"All {len(fine)} jobs are"
    return Verdict("ok", f"{subject} on schedule, and no last run failed.{aside}")


def _troubles(
    jobs: Sequence[Job], names: Mapping[int, str], now: datetime, up_since: datetime | None
) -> tuple[list[str], Severity]:
    """What is wrong in words, and how grave it is."""
    found = _by_state(jobs, names, now, up_since)
    late = found["overdue"] + found["never ran"]
    words = []
    if found["failing"]:
        words.append(f"{_named(found['failing'])} failed in the last run")
    if late:
        wait = max(waited for job in jobs if (waited := overdue_by(job, now, up_since)))
        words.append(f"{_named(late)} should have started {'up to ' if len(late) > 1 else ''}{interval_text(wait)} ago")
    lasting = any((job.consecutive_failures or 0) >= LASTING and names[job.job_id] in found["failing"] for job in jobs)
    return words, "critical" if found["never ran"] or lasting else "warning"


def _named(names: Sequence[str]) -> str:
    return f"“{names[0]}”" if len(names) == 1 else f"{len(names)} jobs"


def _some(names: Sequence[str]) -> str:
    return f"“{names[0]}” is" if len(names) == 1 else f"{len(names)} jobs are"
