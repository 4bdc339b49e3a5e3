"""A calendar month in UTC: what a monthly report is about."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ms5ops.errors import Ms5opsError
from ms5ops.scorecard.months import month_before, month_of

_NAME = re.compile(r"[1-9][0-9]{3}-(0[1-9]|1[0-2])")


class ReportError(Ms5opsError):
    """A report cannot be made as asked."""


@dataclass(frozen=True)
class Month:
    """``name`` is ``2026-10``; it holds the instants from ``begins`` up to, and without, ``ends``."""

    name: str

    @property
    def begins(self) -> datetime:
        """Its first instant."""
        return datetime.strptime(self.name, "%Y-%m").replace(tzinfo=UTC)

    @property
    def ends(self) -> datetime:
        """The first instant after it."""
        return (self.begins + timedelta(days=32)).replace(day=1)

    @property
    def title(self) -> str:
        """As people say it: ``October 2026``."""
        return self.begins.strftime("%B %Y")

    @property
    def before(self) -> "Month":
        """The calendar month before."""
        return Month(month_before(self.name))

    def holds(self, instant: datetime | None) -> bool:
        """Whether the instant lies in it; None does not."""
        return instant is not None and self.begins <= instant < self.ends


def month_named(text: str, now: datetime) -> Month:
    """The month of that name; ReportError where it is none, or has not begun."""
    if not _NAME.fullmatch(text.strip()):
        raise ReportError(f"{text[:40]!r} is not a month.", "Write it as year and month: 2026-10.")
    found = Month(text.strip())
    if found.begins > now:
        raise ReportError(f"{found.title} has not begun.", f"The newest month is {month_of(now)}.")
    return found


def month_spans(names: Sequence[str]) -> str:
    """Months by name, oldest first, as a person lists them: ``2026-02, 2026-05 to 2026-09``."""
    spans: list[list[str]] = []
    for name in names:
        if spans and Month(name).before.name == spans[-1][-1]:
            spans[-1].append(name)
        else:
            spans.append([name])
    return ", ".join(span[0] if len(span) == 1 else f"{span[0]} to {span[-1]}" for span in spans)


def last_whole_month(now: datetime) -> Month:
    """The month that ended last."""
    return Month(month_of(now)).before
