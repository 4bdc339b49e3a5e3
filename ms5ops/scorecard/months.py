"""Values by calendar month (UTC), and how the newest month stands against the one before it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from math import log, sqrt

from ms5ops.scorecard.records import Direction, Point, Trend
from ms5ops.units import change_text

UNCHANGED = 0.05
"""Own choice: a month that is within a twentieth of the one before it is as good; benchmarks judge by the same 5 %."""
SHOWN_MONTHS = 12
_TOLD_APART = 1.96 * sqrt(2)
"""Standard deviations of one value: the difference of two has √2 times as much."""


def month_of(at: datetime) -> str:
    """``2026-10``, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m")


def month_before(month: str) -> str:
    """The calendar month before: ``2025-12`` for ``2026-01``."""
    first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    return (first - timedelta(days=1)).strftime("%Y-%m")


def ends_between(first: datetime, last: datetime) -> list[datetime]:
    """The last instants (to the second) of the calendar months from that of ``first`` to the one before ``last``'s."""
    found = []
    start = last.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while (end := start - timedelta(seconds=1)) >= first:
        found.append(end)
        start = end.replace(day=1, hour=0, minute=0, second=0)
    return found[::-1]


def trend(
    values: Iterable[tuple[datetime, float]], what: str, unit: str, *, more_is_better: bool, scatter: float = 0.0
) -> Trend | None:
    """The last value of each month of ``values`` (in any order); None where there are none.

    ``scatter``: by how much each value may be off (standard deviation of its logarithm). Two values that lie no
    further apart than 95 % of unchanged ones do are not told apart.
    """
    by_month = {month_of(at): value for at, value in sorted(values)}
    if not by_month:
        return None
    newest = max(by_month)
    last, now = by_month.get(month_before(newest)), by_month[newest]
    change = now / last - 1 if last else None
    points = tuple(Point(month, by_month[month]) for month in sorted(by_month))[-SHOWN_MONTHS:]
    if last is None:
        return Trend(what, unit, points, None, None, "no value of the month before")
    direction = _direction(last, now, more_is_better)
    if scatter and direction != "as before" and last > 0 and now > 0 and abs(log(now / last)) < _TOLD_APART * scatter:
        direction = "not sure"
    return Trend(what, unit, points, change, direction, _text(last, now, change, direction))


def _direction(last: float, now: float, more_is_better: bool) -> Direction:
    if abs(now - last) <= UNCHANGED * abs(last):
        return "as before"
    return "better" if (now > last) is more_is_better else "worse"


def _text(last: float, now: float, change: float | None, direction: Direction) -> str:
    if direction == "as before":
        return "as last month"
    if direction == "not sure":
        return "no sure change" if change is None else f"no sure change ({change_text(change)})"
    # From nearly nothing, to nearly nothing, or through zero, a change says little in per cent.
    if change is None or not -0.99 <= change <= 10:
        return f"{direction} than last month"
    return f"{direction} than last month ({change_text(change)})"
