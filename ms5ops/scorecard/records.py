"""What the scorecard says: a criterion, what was measured for it, what shows it, and how it went by month."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from ms5ops.environments import Origin
from ms5ops.observe.verdict import Verdict
from ms5ops.units import MISSING

Area = Literal["technical", "operational", "business"]
AREAS: tuple[Area, ...] = get_args(Area)
Status = Literal["met", "not met", "not measured yet"]
STATUSES: tuple[Status, ...] = get_args(Status)
Direction = Literal["better", "worse", "as before", "not sure"]


@dataclass(frozen=True)
class Measure:
    """How a criterion gets its value: the page that measures it, what its link says, and the same as a command."""

    label: str
    page: str
    command: str


@dataclass(frozen=True)
class Question:
    """A criterion, without an answer. ``title`` in a manager's words; ``unit`` of the value; ``definition`` says what
    the value is, where it comes from and where the target does."""

    key: str
    area: Area
    title: str
    target: str
    unit: str
    definition: str
    measure: Measure


@dataclass(frozen=True)
class Evidence:
    """What shows a value: a run, a reading or a deployment, when it was made, and where to see it.

    ``id`` is None for a reading that is not stored. ``parameters`` are the page's address parameters.
    """

    title: str
    id: str | None
    at: datetime
    command: str
    page: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Point:
    """The value of a month (``2026-10``)."""

    month: str
    value: float


@dataclass(frozen=True)
class Trend:
    """Values by month, oldest first, in ``unit``, of ``what`` (which may be the figure behind a criterion's value).

    ``change`` is that of the newest month against the calendar month before it, relative to that month; None where
    that month has no value, or 0. ``direction`` is "not sure" where single measurements scatter as much. ``text`` says
    it in words. ``origin``: None where it is that of the answer's value.
    """

    what: str
    unit: str
    points: tuple[Point, ...]
    change: float | None
    direction: Direction | None
    text: str
    origin: Origin | None = None


@dataclass(frozen=True)
class Answer:
    """What was measured. Without a measured ``value`` there is no verdict: the status is "not measured yet".

    ``value`` is in the question's unit, ``text`` the same for people. ``reason``: why this status, in a sentence;
    ``details``: lines for a DBA. ``origin`` of what the value comes from, which is never mixed.
    """

    status: Status
    value: float | None
    text: str
    reason: str
    measured_at: datetime | None = None
    origin: Origin | None = None
    evidence: tuple[Evidence, ...] = ()
    details: tuple[str, ...] = ()
    trend: Trend | None = None


@dataclass(frozen=True)
class Criterion:
    """One row of the scorecard."""

    question: Question
    answer: Answer

    def to_json(self) -> dict[str, Any]:
        """As JSON values, in one level but for ``measure``, ``evidence`` and ``trend``."""
        answer = {("value_text" if name == "text" else name): value for name, value in asdict(self.answer).items()}
        return {**asdict(self.question), **answer}


@dataclass(frozen=True)
class Scorecard:
    """All criteria of one environment, in the order of AREAS, as they stand at ``now``."""

    environment: str
    origin: Origin
    now: datetime
    criteria: tuple[Criterion, ...]

    def count(self, status: Status) -> int:
        """How many criteria have that status."""
        return sum(one.answer.status == status for one in self.criteria)

    def of(self, area: Area) -> tuple[Criterion, ...]:
        """The criteria of an area."""
        return tuple(one for one in self.criteria if one.question.area == area)

    @property
    def verdict(self) -> Verdict:
        """The whole in a sentence."""
        missed = [one.question.title for one in self.criteria if one.answer.status == "not met"]
        met, unmeasured, every = self.count("met"), self.count("not measured yet"), len(self.criteria)
        so_far = f"{met} of {every} success criteria {'is' if met == 1 else 'are'} met"
        if missed:
            named = "; ".join(missed[:3]) + (f"; and {len(missed) - 3} more" if len(missed) > 3 else "")
            return Verdict("warning", f"{so_far}. Not met: {named}.")
        if met == every:
            return Verdict("ok", f"All {every} success criteria are met.")
        if not met:
            return Verdict("info", f"Nothing is measured yet: none of the {every} success criteria can be judged.")
        left = f"{unmeasured} {'is' if unmeasured == 1 else 'are'} not measured yet"
        return Verdict("info", f"{so_far}, and none is missed; {left}.")

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "environment": self.environment,
            "origin": self.origin,
            "read_at": self.now,
            "sentence": self.verdict.text,
            "counts": {status: self.count(status) for status in STATUSES},
            "criteria": [one.to_json() for one in self.criteria],
        }


def unmeasured(reason: str, value: float | None = None, text: str = MISSING, **shown: Any) -> Answer:
    """No verdict, and why; ``value``, ``text`` and ``shown`` are what is known all the same."""
    return Answer("not measured yet", value, text, reason, **shown)


def judged(good: bool, value: float, text: str, reason: str, **shown: Any) -> Answer:
    """A verdict on a measured value; ``shown`` are the further fields of Answer."""
    return Answer("met" if good else "not met", value, text, reason, **shown)
