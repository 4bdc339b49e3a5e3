"""The sides that can be chosen for a comparison, the pair that stands there at first, and the growth beside it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import pandas as pd

from ms5ops.benchmark.expected import Outside
from ms5ops.benchmark.records import RunHeader
from ms5ops.benchmark.run_summary import marks, run_title
from ms5ops.benchmark.selection import DeploymentSpan, Selected, select
from ms5ops.errors import BenchmarkError
from ms5ops.observe.finding import counted
from ms5ops.observe.storage import snapshot_sizes
from ms5ops.rollout import journal
from ms5ops.rollout.journal import Deployment, Reader

GROWTH_OVER = timedelta(days=7)
"""Own choice: growth over less than a week says nothing about a month."""
MONTH = timedelta(days=365.25 / 12)


@dataclass(frozen=True)
class Choice:
    """Something to choose: the word that ``select`` knows, and what people read."""

    kind: Literal["deployment", "month", "label", "run"]
    word: str
    title: str


def deployment_spans(reader: Reader, source: str) -> tuple[DeploymentSpan, ...]:
    """The deployments of a database from its journal, oldest first; empty where it has none.

    A deployment that was rolled back counts from the end of its last operation to its first undone one. One that
    never changed anything (cancelled, or failed at once) is left out.
    """
    return tuple(
        span for one in reversed(journal.deployments(reader)) if (span := _span(reader, one, source)) is not None
    )


def deployment_names(deployments: Sequence[DeploymentSpan]) -> dict[str, str]:
    """What people call the deployments, by id."""
    return {one.id: f"deployment {one.number}" for one in deployments}


def _span(reader: Reader, one: Deployment, source: str) -> DeploymentSpan | None:
    if one.direction == "apply" and one.status == "done":
        return DeploymentSpan(str(one.id), one.number, one.started_at, one.finished_at, None, source)
    rows = journal.operations(reader, one.id)
    ended = [row.finished_at for row in rows if row.finished_at is not None]
    undone = [row.undone_at for row in rows if row.undone_at is not None]
    if not ended:
        return None
    finished = max(ended) if one.direction == "rollback" or not one.is_open else None
    return DeploymentSpan(str(one.id), one.number, one.started_at, finished, min(undone, default=None), source)


def choices(headers: Sequence[RunHeader], deployments: Sequence[DeploymentSpan]) -> tuple[Choice, ...]:
    """What can be chosen as a side: around deployments, months, labels of several runs, single runs; newest first.

    Only what ``select`` finds runs for.
    """
    around = [
        Choice("deployment", f"{when}:{one.number}", f"{when.capitalize()} deployment {one.number}, {_day(one, when)}")
        for one in reversed(deployments)
        for when in ("before", "after")
    ]
    months = sorted({one.started_at.astimezone(UTC).strftime("%Y-%m") for one in headers}, reverse=True)
    labels = Counter(one.label for one in headers if one.label)
    single = sorted(headers, key=lambda one: one.started_at, reverse=True)
    several = [
        *around,
        *(Choice("month", month, "") for month in months),
        *(Choice("label", label, "") for label, count in labels.items() if count > 1),
    ]
    found = []
    for choice in several:
        chosen = selected(choice.word, headers, deployments)
        if chosen is not None:
            runs = counted(len(chosen.headers), "run", "runs")
            titles = {"month": f"Month {choice.word} ({runs})", "label": f"Label {choice.word} ({runs})"}
            found.append(Choice(choice.kind, choice.word, titles.get(choice.kind, choice.title)))
    return (*found, *(Choice("run", one.run_id, _run_title(one)) for one in single))  # its id always means a run


def _day(one: DeploymentSpan, when: str) -> str:
    instant = one.started_at if when == "before" or one.finished_at is None else one.finished_at
    return f"{instant:%Y-%m-%d}"


def _run_title(header: RunHeader) -> str:
    noted = [mark for mark in marks(header) if mark != "simulated data"]
    return run_title(header) + (f" ({', '.join(noted)})" if noted else "")


def selected(word: str, headers: Sequence[RunHeader], deployments: Sequence[DeploymentSpan]) -> Selected | None:
    """What the word means; None where it means nothing here."""
    try:
        return select(word, headers, deployments)
    except BenchmarkError:
        return None


def first_pair(headers: Sequence[RunHeader], deployments: Sequence[DeploymentSpan]) -> tuple[str, str] | None:
    """The words of the sides that are compared at first: before and after the newest deployment with runs on both
    sides, or else the last run and the one before it of the same database; None where there is no pair."""
    for one in reversed(deployments):
        before, after = f"before:{one.number}", f"after:{one.number}"
        if all(selected(word, headers, deployments) is not None for word in (before, after)):
            return before, after
    latest, previous = (selected(word, headers, deployments) for word in ("latest", "previous"))
    if latest is None or previous is None:
        return None
    return previous.headers[0].run_id, latest.headers[0].run_id


def sizes_beside(stored: pd.DataFrame, runs: Sequence[RunHeader]) -> pd.DataFrame:
    """``storage.snapshot_sizes`` of those snapshots that have the runs' origin: a replayed month never stands beside a
    measured one. ``stored``: rows of the history's query storage_snapshots."""
    return snapshot_sizes(stored[stored["origin"] == runs[0].origin])


def stored_growth(sizes: pd.DataFrame, since: datetime | None, until: datetime | None) -> float | None:
    """Bytes a month by which what is stored grew between two instants (None: without bound), from snapshots.

    ``sizes``: as of ``sizes_beside``. The last size less the first over the time between them; None where they
    lie less than a week apart, or where it shrank, as it does where old data is being compressed.
    """
    within = sizes
    if since is not None:
        within = within[within["taken_at"] >= since]
    if until is not None:
        within = within[within["taken_at"] <= until]
    if len(within) < 2:
        return None
    span = within["taken_at"].iloc[-1] - within["taken_at"].iloc[0]
    grown = float(within["size_bytes"].iloc[-1] - within["size_bytes"].iloc[0])
    if span < GROWTH_OVER or grown <= 0:
        return None
    return grown * float(MONTH / span)


def outside_figures(
    sizes: pd.DataFrame,
    every: Sequence[RunHeader],
    before: Sequence[RunHeader],
    after: Sequence[RunHeader],
    saved_share: float | None,
    *,
    deployments: Sequence[DeploymentSpan] = (),
) -> Outside:
    """What benchmarks do not measure: growth before and after from snapshots (``sizes_beside``), and
    ``saved_share``, which compression saves now: of a side that is about now, that is where the newest run is on it.

    Where one of ``deployments`` lies between the sides, growth after counts from its end, as on the scorecard, and not
    from the first run after it, which may be a month later.
    """
    newest = max(every, key=lambda one: one.started_at)
    last, first = max(one.finished_at for one in before), min(one.started_at for one in after)
    between = [one.finished_at for one in deployments if one.finished_at and last <= one.finished_at <= first]
    return Outside(
        growth_before_bytes=stored_growth(sizes, None, last),
        growth_after_bytes=stored_growth(sizes, max(between, default=first), None),
        saved_share_after=saved_share if newest in after else None,
    )
