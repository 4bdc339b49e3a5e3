"""What a rule finds: a condition that holds now, in words and in numbers; and the names of the rules."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from ms5ops.units import bytes_text, count_text, duration_text, percent_text, ratio_text

RuleName = Literal[
    "server", "collector", "jobs", "lag", "retention", "backlog", "ratio", "storage", "regression", "errors", "drift"
]
RULES: tuple[RuleName, ...] = get_args(RuleName)
Severity = Literal["critical", "warning"]
Unit = Literal["", "failures", "seconds", "chunks", "share", "bytes", "x", "per hour", "queries", "differences"]

TITLES: dict[RuleName, str] = {
    "server": "The server answers",
    "collector": "Snapshots are stored",
    "jobs": "Background jobs run and succeed",
    "lag": "Aggregates are as fresh as promised",
    "retention": "Old data is deleted, and no summary with it",
    "backlog": "Compression keeps up",
    "ratio": "Compression saves what it should",
    "storage": "Storage stays under its limit",
    "regression": "Benchmarks stay as fast as they were",
    "errors": "Queries succeed as usual",
    "drift": "The database is as it was verified",
}
"""What each rule watches over, as people say it while all is well."""


@dataclass(frozen=True)
class Candidate:
    """A condition that holds now. ``key`` is stable from one evaluation to the next (``jobs.failing.1003``).

    ``sentence`` says what is wrong and ``next_step`` what to do; ``page`` holds the evidence. ``value`` and
    ``threshold`` are in ``unit`` (None: there is no number). ``level`` (larger is worse) is set where accepting a
    condition accepts a level: it alarms again from the level ``further_from`` on.
    """

    key: str
    rule: RuleName
    subject: str
    severity: Severity
    sentence: str
    next_step: str
    page: str
    value: float | None = None
    threshold: float | None = None
    unit: Unit = ""
    level: float | None = None
    further_from: float | None = None


def value_text(value: float | None, unit: str) -> str:
    """A value of a rule for people: ``12 min``, ``3 chunks``, ``1.4x``."""
    formats: dict[str, Callable[[float | None], str]] = {
        "seconds": duration_text, "share": percent_text, "bytes": bytes_text, "x": ratio_text,
    }  # fmt: skip
    if unit in formats:
        return formats[unit](value)
    text = count_text(value)
    if value is None or not unit:
        return text
    nouns = {"failures": "failure", "chunks": "chunk", "queries": "query", "differences": "difference"}
    return f"{text} {nouns[unit] if value == 1 and unit in nouns else unit}"
