"""What a month's report says of storage, compression, jobs, changes and alerts: from rows to facts, nothing read.

Every frame holds rows of one origin alone (``origins_of`` says which there are), so that no figure mixes two.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import pandas as pd

from ms5ops.access.audit import Entry
from ms5ops.alerts.store import Event
from ms5ops.environments import Origin
from ms5ops.observe.storage import snapshot_sizes
from ms5ops.reports.month import Month
from ms5ops.rollout.journal import Deployment, OperationRow
from ms5ops.rollout.operation import PHASES
from ms5ops.scorecard.material import REPLAYED_NOTE
from ms5ops.scorecard.months import SHOWN_MONTHS, month_of

T = TypeVar("T")


@dataclass(frozen=True)
class Part(Generic[T]):
    """A part of the report: what it holds and of which origin, or in a sentence why it holds nothing."""

    value: T | None
    origin: Origin | None = None
    missing: str = ""


@dataclass(frozen=True)
class TableLine:
    """A table or aggregate at the month's last snapshot, and its size at the one that the month is measured from.

    Sizes in bytes; None where they were not known then.
    """

    table: str
    kind: str
    before_bytes: float | None
    size_bytes: float | None
    uncompressed_bytes: float | None
    chunks: int
    compressed_chunks: int
    backlog_chunks: int | None

    @property
    def change_bytes(self) -> float | None:
        """By how much it grew (negative: shrank) in the month."""
        if self.size_bytes is None or self.before_bytes is None:
            return None
        return self.size_bytes - self.before_bytes

    @property
    def saved_share(self) -> float | None:
        """One minus stored over uncompressed; None while nothing is compressed."""
        if not self.compressed_chunks or self.size_bytes is None or not self.uncompressed_bytes:
            return None
        return 1 - self.size_bytes / self.uncompressed_bytes


@dataclass(frozen=True)
class MonthSize:
    """What was stored at the last snapshot of a month, in bytes."""

    month: str
    size_bytes: float
    uncompressed_bytes: float


@dataclass(frozen=True)
class StorageFacts:
    """Sizes at ``at``, the month's last snapshot, against ``since``, the last of the month before or, where it has
    none, the first of this one; None where there is only one. ``before_bytes``: everything stored then.
    ``months``: up to this one, oldest first."""

    at: datetime
    since: datetime | None
    before_bytes: float | None
    lines: tuple[TableLine, ...]
    months: tuple[MonthSize, ...]

    @property
    def size_bytes(self) -> float:
        """Everything stored."""
        return sum(one.size_bytes or 0 for one in self.lines)

    @property
    def uncompressed_bytes(self) -> float:
        """The same had nothing been compressed."""
        return sum(one.uncompressed_bytes or 0 for one in self.lines)

    @property
    def change_bytes(self) -> float | None:
        """By how much everything together grew (negative: shrank), with what came and what went."""
        return None if self.before_bytes is None else self.size_bytes - self.before_bytes

    @property
    def saved_share(self) -> float | None:
        """Share of all bytes that compression saves."""
        return 1 - self.size_bytes / self.uncompressed_bytes if self.uncompressed_bytes else None

    @property
    def compressible(self) -> tuple[TableLine, ...]:
        """The lines that are made of chunks."""
        return tuple(one for one in self.lines if one.chunks)


@dataclass(frozen=True)
class JobLine:
    """A background job: its runs and failures in the month by the server's own counters (None: not known), its state
    at the month's last snapshot, the longest run that was recorded, and what its last recorded failure said."""

    job_id: int
    kind: str
    target: str | None
    state: str
    runs: int | None
    failures: int | None
    longest_seconds: float | None
    message: str | None


@dataclass(frozen=True)
class JobFacts:
    """Jobs at ``at``, the month's last snapshot; their counts are since ``since`` (as in StorageFacts)."""

    at: datetime
    since: datetime | None
    lines: tuple[JobLine, ...]

    @property
    def runs(self) -> int:
        """Runs of all jobs whose count is known."""
        return sum(one.runs or 0 for one in self.lines)

    @property
    def failures(self) -> int:
        """Failed runs of all jobs whose count is known."""
        return sum(one.failures or 0 for one in self.lines)


@dataclass(frozen=True)
class Change:
    """A deployment that began, ended or was taken back in the month. ``phases``: how many of its operations were done
    in each phase, by the phase's title."""

    deployment: Deployment
    undone_at: datetime | None
    phases: Mapping[str, int]

    @property
    def is_replayed(self) -> bool:
        """Whether it ran in a simulated calendar."""
        return (self.deployment.applied_note or "").startswith(REPLAYED_NOTE)


@dataclass(frozen=True)
class AlertLine:
    """An alert that stood in the month: when it opened, when it was over (None: not by the month's end), whether
    somebody accepted it, and what its last evaluation in the month said."""

    opened_at: datetime | None
    cleared_at: datetime | None
    accepted_by: str | None
    reason: str | None
    severity: str
    subject: str
    sentence: str


def span_of(taken_at: pd.Series, month: Month) -> tuple[datetime | None, datetime] | None:
    """The snapshots that a month is measured between: the last of the month before, or its own first where there is
    none (None: it has one only), and its last; None where the month has none."""
    every: list[datetime] = sorted({at.to_pydatetime() for at in taken_at})
    own = [at for at in every if month.holds(at)]
    if not own:
        return None
    before = [at for at in every if month.before.holds(at)]
    first = before[-1] if before else own[0] if len(own) > 1 else None
    return first, own[-1]


def storage_facts(stored: pd.DataFrame, month: Month) -> StorageFacts | None:
    """From rows of the history's query storage_snapshots; None where the month has no snapshot with a size."""
    stored = stored.dropna(subset=["size_bytes"])
    span = span_of(stored["taken_at"], month)
    if span is None:
        return None
    since, at = span
    before = {} if since is None else _by(stored[stored["taken_at"] == since], "table_name")
    lines = [
        TableLine(
            table=name,
            kind=str(row["kind"]),
            before_bytes=_number(before[name]["size_bytes"]) if name in before else None,
            size_bytes=_number(row["size_bytes"]),
            uncompressed_bytes=_number(row["uncompressed_bytes"]),
            chunks=_count(row["chunks"]) or 0,
            compressed_chunks=_count(row["compressed_chunks"]) or 0,
            backlog_chunks=_count(row["backlog_chunks"]),
        )
        for name, row in _by(stored[stored["taken_at"] == at], "table_name").items()
    ]
    sizes = snapshot_sizes(stored[stored["taken_at"] < month.ends])
    last = {month_of(row["taken_at"].to_pydatetime()): row for row in sizes.to_dict("records")}
    months = [MonthSize(name, float(row["size_bytes"]), float(row["uncompressed_bytes"])) for name, row in last.items()]
    return StorageFacts(
        at=at,
        since=since,
        before_bytes=sum(_number(row["size_bytes"]) or 0 for row in before.values()) if since else None,
        lines=tuple(sorted(lines, key=lambda one: -(one.size_bytes or 0))),
        months=tuple(months[-SHOWN_MONTHS:]),
    )


def job_facts(snapshots: pd.DataFrame, runs: pd.DataFrame, month: Month) -> JobFacts | None:
    """From rows of the history's queries job_snapshots and job_runs; None where the month has no snapshot of jobs.

    Runs are the difference of the server's counters: it records single runs only where logging of successful ones is
    on. A counter that ran backwards began anew, and says nothing.
    """
    span = span_of(snapshots["taken_at"], month)
    if span is None:
        return None
    since, at = span
    before = {} if since is None else _by(snapshots[snapshots["taken_at"] == since], "job_id")
    within = [month.holds(start.to_pydatetime()) for start in runs["started_at"]]
    own = runs[pd.Series(within, index=runs.index, dtype=bool)]
    lines = []
    for job_id, row in _by(snapshots[snapshots["taken_at"] == at], "job_id").items():
        recorded = own[own["job_id"].astype("int64") == int(job_id)].sort_values("started_at")
        lasted = (recorded["finished_at"] - recorded["started_at"]).dropna()
        failed = recorded[recorded["succeeded"].eq(other=False)]
        messages = failed["message"].dropna()
        lines.append(
            JobLine(
                job_id=int(job_id),
                kind=str(row["kind"]),
                target=None if pd.isna(row["target"]) else str(row["target"]),
                state=str(row["state"]),
                runs=_counted(before.get(job_id), row, "total_runs") if since else None,
                failures=_counted(before.get(job_id), row, "total_failures") if since else None,
                longest_seconds=lasted.max().total_seconds() if len(lasted) else None,
                message=str(messages.iloc[-1]) if len(messages) else None,
            )
        )
    return JobFacts(at, since, tuple(sorted(lines, key=lambda one: (-(one.failures or 0), one.kind, one.target or ""))))


def change_of(deployment: Deployment, rows: Sequence[OperationRow], undone_at: datetime | None) -> Change:
    """A deployment, and how many of its operations were done by phase."""
    done = [row.operation.phase for row in rows if row.status in ("done", "undone", "undoing")]
    return Change(deployment, undone_at, {title: done.count(phase) for phase, title in PHASES.items() if phase in done})


def is_of(deployment: Deployment, undone_at: datetime | None, month: Month) -> bool:
    """Whether anything happened to the deployment in the month."""
    return any(month.holds(at) for at in (deployment.started_at, deployment.finished_at, undone_at))


def audited(entries: Sequence[Entry], environment: str, month: Month) -> tuple[Entry, ...]:
    """What was done, or refused, to the environment in the month, oldest first."""
    return tuple(sorted((one for one in entries if one.subject == environment and month.holds(one.at)), key=_when))


def _when(entry: Entry) -> datetime:
    return entry.at


def alert_lines(events: Sequence[Event], month: Month) -> tuple[AlertLine, ...]:
    """The alerts that stood at any time of the month: those that still did at its end first, then newest first.

    ``events``: all that happened to the alerts of an environment, in any order.
    """
    lines: list[AlertLine] = []
    by_key: dict[str, list[Event]] = {}
    for event in sorted((one for one in events if one.at < month.ends), key=lambda one: one.at):
        by_key.setdefault(event.key, []).append(event)
    for own in by_key.values():
        spell: list[Event] = []
        for event in own:
            if event.kind in ("muted", "unmuted"):
                continue
            spell.append(event)
            if event.kind == "cleared":
                lines += _line(spell, month)
                spell = []
        lines += _line(spell, month)
    lines.sort(key=lambda one: one.opened_at or month.begins, reverse=True)
    return tuple(sorted(lines, key=lambda one: one.cleared_at is not None))


def _line(spell: Sequence[Event], month: Month) -> list[AlertLine]:
    """One time that an alert stood, from its events; nothing where that was over before the month."""
    if not spell or (spell[-1].kind == "cleared" and spell[-1].at < month.begins):
        return []
    last = spell[-1]
    told = [one for one in spell if one.kind != "cleared"] or [last]
    # What gets worse after it was accepted is open again.
    accepted = next((one for one in reversed(told) if one.kind in ("acknowledged", "worse", "opened")), None)
    taken = accepted if accepted is not None and accepted.kind == "acknowledged" else None
    return [
        AlertLine(
            opened_at=next((one.at for one in spell if one.kind == "opened"), None),
            cleared_at=last.at if last.kind == "cleared" else None,
            accepted_by=taken.actor if taken else None,
            reason=taken.reason if taken else None,
            severity=told[-1].severity,
            subject=told[-1].subject,
            sentence=told[-1].sentence,
        )
    ]


def chosen(origins: Sequence[Origin], make: Callable[[Origin], T | None], is_whole: Callable[[T], bool]) -> Part[T]:
    """Of several origins the first that has the whole of a part, or else the first that has any of it."""
    made = [(origin, value) for origin in origins if (value := make(origin)) is not None]
    whole = [(origin, value) for origin, value in made if is_whole(value)]
    for origin, value in [*whole, *made]:
        return Part(value, origin)
    return Part(None)


def _by(frame: pd.DataFrame, column: str) -> dict[str, dict[str, Any]]:
    return {str(row[column]): {str(name): value for name, value in row.items()} for row in frame.to_dict("records")}


def _counted(before: Mapping[str, Any] | None, row: Mapping[str, Any], name: str) -> int | None:
    now = _count(row[name])
    then = 0 if before is None else _count(before[name])
    return None if now is None or then is None or now < then else now - then


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _count(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)
