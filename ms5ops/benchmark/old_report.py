"""What an old report tells, whichever form it has."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

FIGURES: Mapping[str, str] = {
    "average": "average_ms", "avg": "average_ms", "mean": "average_ms",
    "median": "median_ms", "p50": "median_ms",
    "min": "minimum_ms", "minimum": "minimum_ms", "fastest": "minimum_ms",
    "max": "maximum_ms", "maximum": "maximum_ms", "slowest": "maximum_ms",
    "p95": "p95_ms", "95th": "p95_ms",
    "runs": "runs", "iterations": "runs", "executions": "runs",
}  # fmt: skip
"""The words that reports use for a figure, and the field that holds it."""


@dataclass(frozen=True)
class OldQuery:
    """One query's figures; None: the report does not tell it. ``runs``: how often it was timed."""

    name: str
    average_ms: float | None = None
    median_ms: float | None = None
    minimum_ms: float | None = None
    maximum_ms: float | None = None
    p95_ms: float | None = None
    runs: int | None = None


@dataclass(frozen=True)
class OldReport:
    """A whole report. ``time_note``: what to know of its time. ``parameters`` and ``storage`` as it words them."""

    taken_at: datetime
    time_note: str | None
    environment: str | None
    queries: tuple[OldQuery, ...]
    parameters: Mapping[str, str]
    storage: Mapping[str, str]
