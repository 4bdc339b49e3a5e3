"""Runs of background jobs over time: from server and history, told apart by outcome, grouped for drawing."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

import pandas as pd

from ms5ops.observe.chunks import INSTANT, instants
from ms5ops.observe.jobs import OVERDUE_AFTER, RUN_DTYPES, Job, JobKind

Outcome = Literal["succeeded", "failed", "crashed", "running", "not known"]

SAME_RUN = timedelta(seconds=1)
"""Seen: job_history and job_stats name the start of one run 25 microseconds apart. No job starts twice in a second."""

DRAWN_LIMIT = 2_000
LANES_LIMIT = 40

TIMELINE_DTYPES = {**RUN_DTYPES, "outcome": "str", "origin": "str", "is_replayed": "bool"}
"""``RUN_DTYPES`` with ``outcome`` (``Outcome``), ``origin`` ("server", "history" or "last run", which job_stats tells)
and ``is_replayed``: its calendar was simulated."""

_KIND_ORDER = {kind: place for place, kind in enumerate(get_args(JobKind))}
# Names that procedures of TimescaleDB's own have for people.
_SYSTEM_NAMES = {
    "policy_telemetry": "Send usage statistics",
    "policy_job_stat_history_retention": "Trim the job history",
    "policy_process_hypertable_invalidations": "Process invalidations",
}


def lane_names(jobs: Sequence[Job]) -> dict[int, str]:
    """A name for people for each job, each once: "Compress metric_hist", "Trim realtime index".

    Where two jobs would have the same, schema or number tell them apart.
    """
    names = {job.job_id: _readable(job) for job in jobs}
    for distinguished in (_with_schema, _with_number):
        taken = Counter(names.values())
        names = {
            job.job_id: distinguished(job, names[job.job_id]) if taken[names[job.job_id]] > 1 else names[job.job_id]
            for job in jobs
        }
    return names


def joined_runs(
    runs: pd.DataFrame, stored: pd.DataFrame | None, jobs: Sequence[Job], since: datetime | None = None
) -> pd.DataFrame:
    """Every known run once, newest first (``TIMELINE_DTYPES``): the server's, then stored ones, then the jobs' last.

    ``runs`` is ``jobs.read_job_runs``'; ``stored`` the history's query ``job_runs``, or None. The server's own record
    of a run wins over a stored one, which may have been taken while it ran. Stored ones from before ``since`` are left
    out: a history can hold years of runs. ``job`` holds the name for people.
    """
    parts = [runs.assign(origin="server"), _last_runs(jobs).assign(origin="last run")]
    if stored is not None and since is not None:
        stored = stored[stored["started_at"] >= since]
    if stored is not None and len(stored):
        parts.insert(1, _stored_runs(stored).assign(origin="history"))
    filled = [part for part in parts if len(part)]
    together = pd.concat(filled, ignore_index=True) if filled else parts[0].copy()
    together = _once(together)
    names, known = lane_names(jobs), {job.job_id: job for job in jobs}
    ids = together["job_id"]
    gone = ids.map({int(i): f"Job {i} (deleted)" for i in ids.unique() if i not in known})
    together["job"] = ids.map(names).astype("str").fillna(gone.astype("str"))
    together["kind"] = ids.map({i: job.kind for i, job in known.items()}).astype("str")
    together["target"] = ids.map({i: job.target for i, job in known.items()}).astype("str")
    together["outcome"] = _outcomes(together, jobs)
    # A run that goes on is reported with the message of a crash (timescaledb#7239).
    together.loc[together["outcome"] == "running", ["message", "error_code"]] = None
    together["is_replayed"] = _replayed(together, stored)
    together["duration_s"] = (together["finish"] - together["start"]).dt.total_seconds()
    found = together[list(TIMELINE_DTYPES)].astype(TIMELINE_DTYPES)
    return found.sort_values("start", ascending=False, na_position="last", kind="stable").reset_index(drop=True)


def runs_within(runs: pd.DataFrame, since: datetime, until: datetime) -> pd.DataFrame:
    """The runs of a ``joined_runs`` frame that touch the span; those whose start is not known are not among them."""
    ended = runs["finish"].fillna(runs["start"]).where(runs["outcome"] != "running", until)
    return runs[(runs["start"] <= until) & (ended >= since)]


@dataclass(frozen=True)
class Timeline:
    """What a timeline draws. ``bars``: job_id, lane, outcome, start, finish (None while running), runs (how many one
    bar stands for), duration_s (longest), newest (its start) and message of the newest. ``lanes`` from top to bottom.

    ``runs`` were in the span, ``merged`` of them share bars of ``slot`` length, ``left_out`` are of jobs without lane,
    ``replayed`` ones had a simulated calendar.
    """

    bars: pd.DataFrame
    lanes: tuple[str, ...]
    runs: int
    merged: int
    slot: timedelta
    left_out: int
    replayed: int


def timeline(
    runs: pd.DataFrame, since: datetime, until: datetime, limit: int = DRAWN_LIMIT, lanes: int = LANES_LIMIT
) -> Timeline:
    """The bars for the runs of one span: at most ``limit`` in at most ``lanes`` lanes.

    A job with more runs than its share of the limit has runs of one outcome merged slot by slot; every other job
    keeps one bar per run. Lanes: jobs with trouble first, then by kind and name; too many, and the last are left out.
    """
    found = runs_within(runs, since, until)
    trouble = found["outcome"].isin(["failed", "crashed"]).groupby(found["job"]).sum()
    kinds = found.groupby("job")["kind"].first()
    order = sorted(trouble.index, key=lambda lane: (trouble[lane] == 0, _KIND_ORDER.get(kinds[lane], 9), lane))[:lanes]
    shown = found[found["job"].isin(order)]
    share = max(1, limit // max(1, len(order)))
    crowded = shown.groupby("job")["job"].transform("size") > share
    outcomes = max(1, shown["outcome"].nunique())
    slot = (until - since) / max(1, min(240, share // outcomes))
    bars = [_single(shown[~crowded])]
    if crowded.any():
        bars.append(_merged(shown[crowded], since, slot))
    drawn = pd.concat([part for part in bars if len(part)], ignore_index=True) if len(shown) else bars[0]
    drawn = drawn.sort_values(["start", "lane"], kind="stable").reset_index(drop=True)
    merged = int(drawn.loc[drawn["runs"] > 1, "runs"].sum())
    replayed = int(found["is_replayed"].sum())
    return Timeline(drawn, tuple(order), len(found), merged, slot, len(found) - len(shown), replayed)


def run_at(runs: pd.DataFrame, job_id: int, start: str) -> dict[str, Any] | None:
    """The run of a ``joined_runs`` frame that started then (ISO 8601); None where it is gone."""
    found = runs[(runs["job_id"] == job_id) & (runs["start"] == pd.Timestamp(start))]
    return {str(name): value for name, value in found.iloc[0].items()} if len(found) else None


@dataclass(frozen=True)
class RecordGap:
    """Successful runs that the statistics count and the records lack."""

    counted: int
    recorded: int


def record_gap(jobs: Sequence[Job], runs: pd.DataFrame) -> RecordGap | None:
    """Whether the server records no successful runs though there were some; None where it records them.

    Without timescaledb.enable_job_execution_logging (off by default) only failures are recorded, and the role may
    see no run of other roles' jobs.
    """
    counted = sum(job.total_successes for job in jobs if job.kind != "system")
    recorded = int(runs["succeeded"].fillna(False).sum())
    return RecordGap(counted, recorded) if counted and not recorded else None


FAILURE_DTYPES = {
    "message": "str",
    "error_code": "str",
    "jobs": "str",
    "times": "int64",
    "first": INSTANT,
    "last": INSTANT,
}


def failures_by_message(runs: pd.DataFrame) -> pd.DataFrame:
    """Failures and crashes of a ``joined_runs`` frame by message, most frequent first (``FAILURE_DTYPES``)."""
    failed = failed_runs(runs)
    at = failed["start"].fillna(failed["finish"])
    said = failed["message"].fillna("No message was recorded.")
    rows = [
        {
            "message": message,
            "error_code": part["error_code"].dropna().max() if part["error_code"].notna().any() else None,
            "jobs": ", ".join(sorted(set(part["job"]))),
            "times": len(part),
            "first": at[part.index].min(),
            "last": at[part.index].max(),
        }
        for message, part in failed.groupby(said, sort=False)
    ]
    frame = pd.DataFrame(rows, columns=list(FAILURE_DTYPES)).astype(FAILURE_DTYPES)
    return frame.sort_values(["times", "last"], ascending=False, kind="stable").reset_index(drop=True)


def failed_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Those that failed or crashed, out of a ``joined_runs`` frame."""
    return runs[runs["outcome"].isin(["failed", "crashed"])]


DELAY_DTYPES = {
    "job_id": "int64", "job": "str", "runs": "int64", "median_s": "float64", "p95_s": "float64", "worst_s": "float64",
    "on_time": "float64",
}  # fmt: skip
"""Start delays per job: over how many runs, in seconds, and ``on_time`` (share that started within OVERDUE_AFTER)."""


def run_delays(runs: pd.DataFrame, jobs: Sequence[Job]) -> pd.DataFrame:
    """The delay of each run that ``start_delays`` counts, oldest first: job_id, start, delay_s (seconds)."""
    parts = []
    for job in jobs:
        own = runs[(runs["job_id"] == job.job_id) & runs["start"].notna() & (runs["origin"] == "server")]
        delays = _delays(own.sort_values("start"), job)
        starts = own["start"].loc[delays.index]
        parts.append(pd.DataFrame({"job_id": job.job_id, "start": starts, "delay_s": delays}))
    filled = [part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame(columns=["job_id", "start", "delay_s"])
    return pd.concat(filled, ignore_index=True).sort_values("start", kind="stable").reset_index(drop=True)


def start_delays(runs: pd.DataFrame, jobs: Sequence[Job]) -> pd.DataFrame:
    """How late the recorded runs of each job started, latest first (``DELAY_DTYPES``).

    A run is due one interval after the last successful finish, or, on a fixed schedule, at the next slot after it
    (calculate_next_start_on_success in TimescaleDB's job_stat.c). Runs after a failure are retries with a back-off
    and do not count; nor do jobs on the calendar (months), or those whose successes are not recorded. Only the server's
    own records are used: they have no gaps, which would look like delays.
    """
    rows = []
    for job in jobs:
        own = runs[(runs["job_id"] == job.job_id) & runs["start"].notna() & (runs["origin"] == "server")]
        own = own.sort_values("start")
        delays = _delays(own, job)
        if len(delays):
            rows.append(
                {
                    "job_id": job.job_id,
                    "job": own["job"].iloc[-1],
                    "runs": len(delays),
                    "median_s": float(delays.median()),
                    "p95_s": float(delays.quantile(0.95)),
                    "worst_s": float(delays.max()),
                    "on_time": float((delays <= OVERDUE_AFTER.total_seconds()).mean()),
                }
            )
    frame = pd.DataFrame(rows, columns=list(DELAY_DTYPES)).astype(DELAY_DTYPES)
    return frame.sort_values("worst_s", ascending=False, kind="stable").reset_index(drop=True)


def _delays(own: pd.DataFrame, job: Job) -> pd.Series:
    interval = job.schedule_interval
    if interval <= timedelta(0) or interval >= timedelta(days=28):
        return pd.Series(dtype="float64")
    before = own["finish"].shift()
    after_success = (own["outcome"].shift() == "succeeded") & before.notna()
    if job.fixed_schedule and job.initial_start is not None:
        origin = pd.Timestamp(job.initial_start)
        due = before + (interval - (before - origin) % pd.Timedelta(interval))  # type: ignore[operator]
    else:
        due = before + interval
    delays: pd.Series = (own["start"] - due).dt.total_seconds()[after_success].clip(lower=0.0)
    return delays


def _readable(job: Job) -> str:
    verbs = {"compression": "Compress", "retention": "Drop old rows of", "refresh": "Refresh", "reorder": "Reorder"}
    if job.kind in verbs and job.target:
        return f"{verbs[job.kind]} {job.target.partition('.')[2]}"
    procedure = job.procedure.rpartition(".")[2]
    if job.kind != "user":
        named = _SYSTEM_NAMES.get(procedure)
        if named:
            return named
        procedure = procedure.removeprefix("policy_")
    words = re.sub(r"[_\s]+", " ", procedure).strip()
    return words[:1].upper() + words[1:] if words else f"Job {job.job_id}"


def _with_schema(job: Job, name: str) -> str:
    return f"{name} ({job.target.partition('.')[0]})" if job.target else name


def _with_number(job: Job, name: str) -> str:
    return f"{name} (job {job.job_id})"


def _stored_runs(stored: pd.DataFrame) -> pd.DataFrame:
    frame = pd.DataFrame(index=stored.index)
    frame["job_id"] = stored["job_id"].astype("int64")
    frame["start"] = instants(stored["started_at"])
    frame["finish"] = instants(stored["finished_at"])
    frame["succeeded"] = stored["succeeded"].astype("boolean")
    frame["message"] = stored["message"].astype("str")
    return _with_all_columns(frame)


def _replayed(runs: pd.DataFrame, stored: pd.DataFrame | None) -> pd.Series:
    """A replay empties the database first: up to the last run that it stored there is no other."""
    last = pd.NaT if stored is None else stored.loc[stored["origin"] == "replayed", "started_at"].max()
    return runs["start"] <= last if pd.notna(last) else pd.Series(data=False, index=runs.index)


def _last_runs(jobs: Sequence[Job]) -> pd.DataFrame:
    """The last run of each job, from its statistics: all there is where the server records only failures."""
    started = [job for job in jobs if job.last_start is not None]
    frame = pd.DataFrame(index=pd.RangeIndex(len(started)))
    frame["job_id"] = pd.Series([job.job_id for job in started], dtype="int64")
    frame["start"] = instants(pd.Series([job.last_start for job in started], dtype="object"))
    frame["finish"] = instants(
        pd.Series([None if job.is_running else job.last_finish for job in started], dtype="object")
    )
    frame["succeeded"] = pd.Series(
        [None if job.last_finish is None or job.is_running else job.last_succeeded for job in started], dtype="boolean"
    )
    frame["is_running"] = pd.Series([job.is_running for job in started], dtype="bool")
    return _with_all_columns(frame)


def _with_all_columns(frame: pd.DataFrame) -> pd.DataFrame:
    for column, dtype in RUN_DTYPES.items():
        if column not in frame:
            empty: object = False if dtype == "bool" else None
            frame[column] = pd.Series([empty] * len(frame), frame.index, dtype="object").astype(dtype)  # type: ignore[call-overload]
    return frame[list(RUN_DTYPES)]


def _once(together: pd.DataFrame) -> pd.DataFrame:
    """Each run once: of records of one job less than ``SAME_RUN`` apart the one of the best origin stays."""
    rank = together["origin"].map({"server": 0, "history": 1, "last run": 2})
    ordered = together.assign(_rank=rank).sort_values(["job_id", "start", "_rank"], na_position="last", kind="stable")
    gap = ordered.groupby("job_id")["start"].diff()
    run = (gap.isna() | (gap >= SAME_RUN) | ordered["start"].isna()).cumsum()
    kept = ordered.assign(_run=run).sort_values(["_run", "_rank"], kind="stable").drop_duplicates("_run")
    return kept.drop(columns=["_rank", "_run"]).reset_index(drop=True)


def _outcomes(runs: pd.DataFrame, jobs: Sequence[Job]) -> pd.Series:
    newest = runs.groupby("job_id")["start"].transform("max")
    busy = {job.job_id for job in jobs if job.is_running}
    open_ended = runs["finish"].isna() & runs["succeeded"].isna()
    running = runs["is_running"] | (open_ended & runs["job_id"].isin(busy) & (runs["start"] == newest))
    found = pd.Series("crashed", runs.index, dtype="str")
    # Stored while it ran and not heard of since, or begun and (to a role without privileges) not said to be running:
    # it may have ended either way. A crash has a record of the server's.
    found = found.mask((runs["origin"] != "server") & runs["succeeded"].isna(), "not known")
    found = found.mask(runs["succeeded"].fillna(False), "succeeded")
    # Before 2.15 a crash is told by its message only.
    crashed = runs["message"].str.startswith("job crash detected").fillna(False).astype("bool")
    found = found.mask(~runs["succeeded"].fillna(True) & ~crashed, "failed")
    return found.mask(running, "running").astype("str")


_BARS = {
    "job_id": "int64", "lane": "str", "outcome": "str", "start": INSTANT, "finish": INSTANT, "runs": "int64",
    "duration_s": "float64", "newest": INSTANT, "message": "str",
}  # fmt: skip


def _single(runs: pd.DataFrame) -> pd.DataFrame:
    bars = runs.rename(columns={"job": "lane"}).assign(runs=1, newest=runs["start"])
    return bars[list(_BARS)].astype(_BARS)


def _merged(runs: pd.DataFrame, since: datetime, slot: timedelta) -> pd.DataFrame:
    place = (runs["start"] - pd.Timestamp(since)) // slot
    grouped = runs.assign(place=place).sort_values("start").groupby(["job_id", "job", "outcome", "place"], sort=False)
    bars = grouped.agg(
        start=("start", "min"),
        finish=("finish", "max"),
        runs=("start", "size"),
        duration_s=("duration_s", "max"),
        newest=("start", "max"),
        message=("message", "last"),
    ).reset_index()
    return bars.rename(columns={"job": "lane"})[list(_BARS)].astype(_BARS)
