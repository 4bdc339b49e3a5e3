"""How often a password may be tried: pure rules over counts that the store keeps.

A try is counted before its password is looked at, and taken back when it was right, so that a thousand tries at once
count as a thousand. A try that is refused here is not counted: whoever stops guessing wrongly waits seconds, not hours.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Rule:
    """``free`` tries, then a pause after each: ``first_s`` seconds, twice as many each time, up to ``longest_s``.

    After ``forget_s`` seconds without a try all is forgotten.
    """

    free: int
    first_s: float
    longest_s: float
    forget_s: float


BY_PLACE = Rule(free=5, first_s=2, longest_s=900, forget_s=3600)
"""For one name from one address (or one browser that was let in before)."""
BY_NAME = Rule(free=100, first_s=2, longest_s=2, forget_s=900)
"""For one name from all places where it never signed in. Short, because it also holds up the one whose name it is."""


@dataclass(frozen=True)
class Tries:
    """The tries of one key that were not right, and until when no further one is looked at."""

    count: int
    last_at: datetime
    closed_until: datetime | None = None


def wait_s(tries: Tries | None, now: datetime) -> float:
    """Seconds until the next try is looked at; 0: now."""
    if tries is None or tries.closed_until is None:
        return 0.0
    return max(0.0, (tries.closed_until - now).total_seconds())


def counted(tries: Tries | None, now: datetime, rule: Rule) -> Tries:
    """With one more try."""
    is_recent = tries is not None and (now - tries.last_at).total_seconds() < rule.forget_s
    count = (tries.count if tries and is_recent else 0) + 1
    if count < rule.free:
        return Tries(count, now)
    # Beyond 2^32 the pause is at its longest in any case, and a float would overflow.
    pause_s = min(rule.longest_s, rule.first_s * 2.0 ** min(count - rule.free, 32))
    return Tries(count, now, now + timedelta(seconds=pause_s))
