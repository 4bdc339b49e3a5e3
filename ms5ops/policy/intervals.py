"""Spans of time as a DBA writes them: ``7 days``, ``1 hour 30 minutes``; PostgreSQL reads the same text.

A ``timedelta`` here is always a fixed length. Months and years have none, so they are refused: a retention of
"1 month" would be 28 days in one month and 31 in the next, and no rule could be checked against it.
"""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

_UNITS = {
    "microsecond": timedelta(microseconds=1),
    "millisecond": timedelta(milliseconds=1),
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_NO_FIXED_LENGTH = ("month", "year", "decade", "century")
_WRITTEN = ("day", "hour", "minute", "second", "millisecond", "microsecond")
_PART = re.compile(r"(\d{1,18})\s*([a-z]+)", re.ASCII)
LONGEST = timedelta(days=36525)
"""A hundred years: what is longer is a typing error, and near the limits of ``timedelta``."""


def parse_interval(text: str) -> timedelta:
    """``1 hour 30 minutes`` as a timedelta; ValueError says in a sentence what cannot be read, and why."""
    shown = repr(text if len(text) <= 40 else f"{text[:40]}...")
    rest = " ".join(text.lower().split())
    total = timedelta()
    seen: set[str] = set()
    if not rest:
        raise ValueError("an interval is empty (an example is 7 days)")
    while rest:
        match = _PART.match(rest)
        if match is None:
            raise ValueError(f"{shown} is not an interval (examples are 7 days, 12 hours, 1 hour 30 minutes)")
        unit = _unit(match[2], shown)
        if unit in seen:
            raise ValueError(f"{shown} names {unit}s twice")
        seen.add(unit)
        if int(match[1]) * _UNITS[unit].total_seconds() > LONGEST.total_seconds():
            raise ValueError(f"{shown} is longer than a hundred years")
        total += int(match[1]) * _UNITS[unit]
        rest = rest[match.end() :].lstrip(" ,")
    if total > LONGEST:
        raise ValueError(f"{shown} is longer than a hundred years")
    return total


def interval_sql(interval: timedelta) -> str:
    """The text that PostgreSQL and ``parse_interval`` read back as the same span: ``7 days``, ``1 hour 30 minutes``.

    24 hours are written as 1 day. To PostgreSQL both are equal, and differ only in time zones with summer time, on the
    two days when clocks change. Raises ValueError below zero, which no policy takes.
    """
    if interval < timedelta():
        raise ValueError(f"{interval} is below zero")
    parts = []
    for unit in _WRITTEN:
        number, interval = divmod(interval, _UNITS[unit])
        if number:
            parts.append(f"{number} {unit}{'' if number == 1 else 's'}")
    return " ".join(parts) or "0 seconds"


def _unit(word: str, shown: str) -> str:
    unit = word.removesuffix("s") if word not in _UNITS else word
    if unit in _UNITS:
        return unit
    if unit in _NO_FIXED_LENGTH or word in ("mon", "mons", "centuries"):
        raise ValueError(f"{shown} has no fixed length: a month is 28 to 31 days. Write it in days (30 days, 365 days)")
    raise ValueError(f"{shown} has an unknown unit {word!r} (known are weeks, days, hours, minutes, seconds)")


def _read(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(f'{value!r} is not an interval: write it as text with its unit, as "7 days"')  # noqa: TRY004
    return parse_interval(value)


def _read_positive(value: Any) -> timedelta:
    interval = _read(value)
    if interval <= timedelta():
        raise ValueError("must be longer than zero")
    return interval


def _read_unless(word: str) -> BeforeValidator:
    def read(value: Any) -> timedelta | None:
        if value is None or value == word:
            return None
        try:
            return _read_positive(value)
        except ValueError as error:
            raise ValueError(f'{error}; or write "{word}"') from error

    return BeforeValidator(read)


def _write_unless(word: str) -> PlainSerializer:
    return PlainSerializer(lambda value: word if value is None else interval_sql(value), return_type=str)


_WRITE = PlainSerializer(interval_sql, return_type=str)
Interval = Annotated[timedelta, BeforeValidator(_read_positive), _WRITE]
"""Longer than zero."""
IntervalOrZero = Annotated[timedelta, BeforeValidator(_read), _WRITE]
"""Zero is allowed: for limits it means none."""
IntervalOrNever = Annotated[timedelta | None, _read_unless("never"), _write_unless("never")]
"""``"never"`` is None: no such policy."""
IntervalOrUnbounded = Annotated[timedelta | None, _read_unless("unbounded"), _write_unless("unbounded")]
"""``"unbounded"`` is None, NULL in SQL: from the beginning of time."""
