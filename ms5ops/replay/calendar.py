"""The simulated calendar: which months are replayed, and in which strides the days of a month pass."""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise


@dataclass(frozen=True)
class Scale:
    """How much is replayed. Own choices; raw samples are kept for 90 days, and there are more months than that.

    ``before`` and ``after``: months before and after Phase 4. ``rows_a_day`` over all tables: four rows in a hundred
    thousand of the Phase 4 guide's volume, which is what the embedded engine takes in a minute. ``stride``: after
    Phase 4 the calendar moves on by so much at a time, and every job that is due then runs. ``closing``: at the end it
    moves from job to job instead, so that for so long each job has run as often and as punctually as on a server.
    """

    before: int = 4
    after: int = 3
    rows_a_day: int = 3_200
    stride: timedelta = timedelta(days=5)
    closing: timedelta = timedelta(hours=1)

    @property
    def months(self) -> int:
        """All of them."""
        return self.before + self.after


@dataclass(frozen=True)
class Month:
    """One simulated month, from ``start`` to before ``end``; ``number`` counts from 1."""

    number: int
    start: datetime
    end: datetime
    is_after: bool

    @property
    def label(self) -> str:
        """The calendar month in which it ends: ``2026-11``."""
        return f"{self.end:%Y-%m}"

    @property
    def days(self) -> int:
        """Its whole days."""
        return (self.end - self.start).days


def months(now: datetime, scale: Scale) -> tuple[Month, ...]:
    """The months of a replay, oldest first; the last ends at ``now`` (aware), each at the same day of its month."""
    ends = [_months_back(now, back) for back in range(scale.months, -1, -1)]
    return tuple(
        Month(number, start, end, number > scale.before) for number, (start, end) in enumerate(pairwise(ends), start=1)
    )


def strides(start: datetime, end: datetime, length: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """The span in pieces of that length; the last may be shorter."""
    while start < end:
        following = min(start + length, end)
        yield start, following
        start = following


def _months_back(instant: datetime, months_back: int) -> datetime:
    year, month = divmod(instant.year * 12 + instant.month - 1 - months_back, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return instant.replace(year=year, month=month + 1, day=min(instant.day, last))


def refresh_window(
    start: datetime, end: datetime, bucket: timedelta, end_offset: timedelta
) -> tuple[datetime, datetime] | None:
    """The whole buckets that a refresh at ``end`` has to make anew when rows of [start, end) have arrived.

    None where not one is complete. Two more before them are of use where the last refresh had to leave a bucket open.
    """
    origin = datetime(2000, 1, 3, tzinfo=UTC)  # time_bucket's: a Monday

    def floored(instant: datetime) -> datetime:
        return instant - (instant - origin) % bucket

    first, last = floored(start) - 2 * bucket, floored(end - end_offset)
    return (first, last) if last > first else None
