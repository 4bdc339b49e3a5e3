"""A check: what was expected, what was found, what shows it, and whether that is good enough."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ms5ops.errors import Ms5opsError

Outcome = Literal["passed", "failed", "could not check"]


@dataclass(frozen=True)
class Check:
    """One check. ``name`` is stable; ``evidence`` is for a DBA. ``advice`` says what to do where it did not pass."""

    name: str
    title: str
    expected: str
    found: str
    verdict: Outcome
    evidence: tuple[str, ...] = ()
    advice: str = ""

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def judged(name: str, title: str, expected: str, found: str, good: bool, *evidence: str, advice: str = "") -> Check:
    """A check whose question was answered."""
    return Check(name, title, expected, found, "passed" if good else "failed", evidence, "" if good else advice)


def unread(name: str, title: str, expected: str, error: Ms5opsError) -> Check:
    """A check whose question could not be answered."""
    return Check(name, title, expected, error.happened, "could not check", (), error.next_step)


def asked(name: str, title: str, expected: str, question: Callable[[], Check]) -> Check:
    """The check that ``question`` gives; where the server does not answer, one that could not be made."""
    try:
        return question()
    except Ms5opsError as error:
        return unread(name, title, expected, error)


def worst(checks: Iterable[Check]) -> Outcome:
    """failed before could not check before passed."""
    found = {check.verdict for check in checks}
    return "failed" if "failed" in found else "could not check" if "could not check" in found else "passed"
