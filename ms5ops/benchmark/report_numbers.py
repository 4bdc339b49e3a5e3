"""Numbers and instants as old reports write them: read exactly, or refused by line; nothing is guessed."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ms5ops.errors import BenchmarkError

_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+(?=\.)|\d+)(?:\.\d+)?(?:[eE][+-]?\d+)?")
"""Digits with a decimal point; thousands separators only where a decimal point tells them from a decimal comma."""
_UNITS = {"": 1.0, "ms": 1.0, "msec": 1.0, "milliseconds": 1.0, "s": 1000.0, "sec": 1000.0, "seconds": 1000.0}
NOT_MEASURED = frozenset({"", "null", "none", "n/a", "na", "-", "–", "nan", "error", "failed", "timeout", "timed out"})
"""What the old scripts wrote where a query gave no time."""
_INSTANTS = (
    "%Y-%m-%d %H:%M:%S UTC",
    "%a %b %d %H:%M:%S UTC %Y",
    "%a %d %b %H:%M:%S UTC %Y",
    "%a %b %d %I:%M:%S %p UTC %Y",
)
"""What ``date`` prints. Other names of zones than UTC and GMT are refused: CST alone has three meanings."""


@dataclass(frozen=True)
class Spot:
    """Where something stands in a file, for an error: the key's whole name and the line from 1."""

    file: Path
    key: str
    line: int

    def wrong(self, what: str, next_step: str) -> BenchmarkError:
        """The error that names file, key and line: ``what`` completes "... in line 7 is ..."."""
        return BenchmarkError(f"{self.file}: {self.key} in line {self.line} {what}.", next_step)


def milliseconds(value: object, spot: Spot) -> float | None:
    """A time in ms from a number, or from a text such as ``38.4 ms`` or ``1.2 s``.

    None where the report says that there is none, and for 0, which no query takes: the old scripts wrote it where one
    failed. Raises BenchmarkError for anything else, such as a negative time or a decimal comma.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise spot.wrong(f"is {_short(value)}, which is no time", "Give milliseconds as a number.")
    try:
        number, unit = (float(value), "") if not isinstance(value, str) else _split(value, spot)
    except OverflowError as error:
        raise spot.wrong("has more digits than any time", "Give milliseconds as a number.") from error
    if number is None:
        return None
    if unit not in _UNITS:
        raise spot.wrong(f"has the unit {unit!r}", "Give milliseconds (ms) or seconds (s).")
    if not math.isfinite(number) or number < 0:
        raise spot.wrong(f"is {_short(value)}, which no query takes", "Give a positive time.")
    return number * _UNITS[unit] or None


def count(value: object, spot: Spot) -> int:
    """How often a query was run: a whole number from 1; BenchmarkError else."""
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,9}", text) or int(text) == 0:
        raise spot.wrong(f"is {_short(value)}, which is no number of runs", "Give a whole number from 1.")
    return int(text)


def instant(value: object, spot: Spot) -> tuple[datetime, str | None]:
    """An instant in UTC, and a note where the report names no time zone (it is taken as UTC then).

    Reads ISO 8601, what ``date`` prints (in UTC or GMT), and 20251001_020007. Raises BenchmarkError for anything else.
    """
    text = re.sub(r"\bGMT\b", "UTC", " ".join(str(value).split()))
    found: datetime | None = None
    for read in (datetime.fromisoformat, *(_reader(one) for one in _INSTANTS)):
        try:
            found = read(text)
            break
        except ValueError:
            continue
    if found is None or isinstance(value, bool):
        raise spot.wrong(f"is {_short(value)}, which is no instant", "Write it as 2025-10-01T02:00:07+00:00.")
    named = found.tzinfo is not None or "UTC" in text
    in_utc = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    return in_utc, None if named else "Its time names no zone and is taken as UTC."


def _reader(form: str) -> Callable[[str], datetime]:
    return lambda text: datetime.strptime(text, form)


def _split(text: str, spot: Spot) -> tuple[float | None, str]:
    text = text.strip()
    if text.lower() in NOT_MEASURED:
        return None, ""
    match = _NUMBER.match(text)
    unit = text[match.end() :].strip().lower() if match else ""
    if match is None or (unit and not unit.isalpha()):
        raise spot.wrong(
            f"is {_short(text)}, which is no time", "Write milliseconds with a decimal point, such as 38.4."
        )
    return float(match[0].replace(",", "")), unit


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
