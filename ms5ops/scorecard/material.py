"""What the criteria are judged from: everything of one origin, so that no value mixes two."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import pandas as pd

from ms5ops.benchmark.compare import Comparison
from ms5ops.benchmark.records import Run, RunHeader
from ms5ops.benchmark.selection import NEAREST_RUNS, DeploymentSpan
from ms5ops.benchmark.suite import Suite
from ms5ops.config import Costs
from ms5ops.environments import Origin
from ms5ops.observe.overview import Reading
from ms5ops.observe.totals import Totals
from ms5ops.rollout.check import Check
from ms5ops.rollout.journal import Deployment
from ms5ops.scorecard.months import SHOWN_MONTHS, month_of

REPLAYED_NOTE = "Replayed:"
"""How the note of a deployment begins that was replayed: the journal has no column for it."""


PROMISED = ("recent", "short-term", "historical", "long-term", "aggregate", "ingest", "concurrency", "job latency")
"""The groups for which Phase 4 has performance targets; dashboards, reports and double volume are criteria of their
own."""


def promised_by(suite: Suite) -> tuple[str, ...]:
    """Those of them that a suite's runs can measure: of questions of one's own only what they are of, and no ingest."""
    if suite.folder is None:
        return PROMISED
    clients = ("concurrency",) if suite.of_many_clients else ()
    return tuple(group for group in PROMISED if group in (*suite.groups, *clients, "job latency"))


@dataclass(frozen=True)
class DeploymentSteps:
    """A deployment, how many steps it had, and what went wrong with which: ``step: message``."""

    deployment: Deployment
    errors: tuple[str, ...]

    @property
    def is_replayed(self) -> bool:
        """Whether it ran in a simulated calendar, which its note in the journal says."""
        return (self.deployment.applied_note or "").startswith(REPLAYED_NOTE)


@dataclass(frozen=True)
class Epoch:
    """The time around the first deployment that stands: before it began, and after it was done.

    What lies within a deployment, or between one and its rollback, belongs to neither.
    """

    deployment: DeploymentSpan
    others: tuple[DeploymentSpan, ...]

    @property
    def began(self) -> datetime:
        """When the first deployment began."""
        return self.deployment.started_at

    @property
    def done(self) -> datetime:
        """When it was done."""
        return self.deployment.finished_at or self.deployment.started_at

    def is_before(self, first: datetime, last: datetime) -> bool:
        """Whether a span of time lies before Phase 4, and none of it under a deployment that was taken back."""
        return last <= self.began and not self._disturbed(first, last)

    def is_after(self, first: datetime, last: datetime) -> bool:
        """Whether a span of time lies after the first deployment, and none of it under one that was taken back."""
        return first >= self.done and not self._disturbed(first, last)

    def _disturbed(self, first: datetime, last: datetime) -> bool:
        # Until when a rollback lasted is not known: its beginning has to do.
        undone = [(one.started_at, one.undone_at) for one in self.others if one.undone_at is not None]
        return any(first <= until and last >= since for since, until in undone)


def epoch_of(spans: Sequence[DeploymentSpan]) -> Epoch | None:
    """Around the first deployment that was done and not taken back; None where there is none."""
    standing = [one for one in spans if one.finished_at is not None and one.undone_at is None]
    first = min(standing, key=lambda one: one.started_at, default=None)
    return None if first is None else Epoch(first, tuple(one for one in spans if one.id != first.id))


@dataclass(frozen=True)
class Live:
    """What was read from the server just now; it has the environment's own origin.

    ``checks`` are those after a deployment, None of an earlier instant: only snapshots tell of that.
    ``alert_tests``: when test alerts were delivered, oldest first.
    """

    at: datetime
    deployments: Reading[tuple[DeploymentSteps, ...]]
    checks: Reading[tuple[Check, ...]] | None
    totals: Totals | None
    alert_tests: Reading[tuple[datetime, ...]]


@dataclass(frozen=True)
class Material:
    """What is known of one database, of one origin.

    ``live`` is None for an origin that only the history has (replayed). ``spans``: its deployments, oldest first.
    ``runs`` without samples, oldest first; ``storage``, ``transactions`` and ``checks``: rows of the history's queries
    of these names. ``around``: the runs before and after Phase 4, compared; None where a side has none.
    ``slower_by_month``: how many queries and dashboards were slower than before, by each month's runs alone, with the
    start of its last run; oldest first, without months that cannot be compared. ``promised``: the groups that have to
    be measured before the targets can be called met.
    """

    environment: str
    origin: Origin
    now: datetime
    live: Live | None
    spans: Reading[tuple[DeploymentSpan, ...]]
    runs: tuple[Run, ...]
    storage: pd.DataFrame
    transactions: pd.DataFrame
    checks: pd.DataFrame
    costs: Costs | None
    around: Callable[[], Reading[Comparison | None]]
    slower_by_month: Callable[[], Reading[tuple[tuple[datetime, int], ...]]]
    promised: tuple[str, ...] = PROMISED

    @property
    def epoch(self) -> Epoch | None:
        """The time around the first deployment that stands; None where there is none, or the journal is not read."""
        return epoch_of(self.spans.found(()))

    @property
    def why_no_epoch(self) -> str:
        """Why there is no before and after, in a sentence."""
        if self.spans.error is not None:
            return f"The journal of deployments could not be read: {self.spans.error.happened}"
        return "No deployment that stands is in this database's journal, so there is no before and after."


Runs = tuple[RunHeader, ...]


def sides_around(headers: Sequence[RunHeader], epoch: Epoch) -> tuple[Runs, Runs] | None:
    """The last runs before Phase 4 and the newest after it, at most ``NEAREST_RUNS`` each, oldest first.

    Runs with samples only; None where a side has none.
    """
    before, after = _sides(headers, epoch)
    return (before[-NEAREST_RUNS:], after[-NEAREST_RUNS:]) if before and after else None


def sides_by_month(headers: Sequence[RunHeader], epoch: Epoch) -> tuple[tuple[Runs, Runs], ...]:
    """The same for each of the last months with a run after Phase 4, the second side being of that month; oldest first.

    As many months as a trend shows; none where there is no run before.
    """
    before, after = _sides(headers, epoch)
    by_month = {month: tuple(runs) for month, runs in groupby(after, key=lambda one: month_of(one.started_at))}
    shown = list(by_month.values())[-SHOWN_MONTHS:]
    return tuple((before[-NEAREST_RUNS:], runs[-NEAREST_RUNS:]) for runs in shown if before)


def _sides(headers: Sequence[RunHeader], epoch: Epoch) -> tuple[Runs, Runs]:
    whole = sorted((one for one in headers if not one.is_summary), key=lambda one: one.started_at)
    before = tuple(one for one in whole if epoch.is_before(one.started_at, one.finished_at))
    return before, tuple(one for one in whole if epoch.is_after(one.started_at, one.finished_at))
