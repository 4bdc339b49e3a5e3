"""A finding: one judgement over the readings, for a manager first and a DBA after."""

from dataclasses import dataclass
from typing import Literal

from ms5ops.units import count_text

Severity = Literal["critical", "warning", "info", "nothing", "ok"]
"""``nothing``: there is nothing to judge yet, which is neither good nor bad."""
Page = Literal["storage", "compression", "jobs", "aggregates", "indexes", "health", "rollout"]


@dataclass(frozen=True)
class Finding:
    """One judgement. ``title`` and ``detail`` are for a manager, ``evidence`` for a DBA; ``remedy`` says what to do.

    ``key`` is stable (``jobs.failing.1003``); ``remedy_sql`` is text to copy, never run by the console.
    """

    key: str
    severity: Severity
    title: str
    detail: str
    remedy: str
    page: Page
    evidence: tuple[str, ...] = ()
    remedy_sql: str | None = None


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun: ``1 index``, ``3 indexes``, ``10,000 chunks``."""
    return f"{count_text(number)} {one if number == 1 else many}"


def short(qualified: str) -> str:
    """A relation's name without its schema."""
    return qualified.partition(".")[2]
