"""Intervals are read and written as PostgreSQL does, in fixed lengths."""

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ms5ops.policy.intervals import LONGEST, interval_sql, parse_interval


@pytest.mark.parametrize(
    ("text", "span", "written"),
    [
        ("7 days", timedelta(days=7), "7 days"),
        ("1 day", timedelta(days=1), "1 day"),
        ("1 week", timedelta(days=7), "7 days"),
        ("24 hours", timedelta(days=1), "1 day"),
        ("1 hour 30 minutes", timedelta(minutes=90), "1 hour 30 minutes"),
        ("90 minutes", timedelta(minutes=90), "1 hour 30 minutes"),
        ("  2 DAYS,  3 hours ", timedelta(days=2, hours=3), "2 days 3 hours"),
        ("0 seconds", timedelta(), "0 seconds"),
        ("250 milliseconds", timedelta(milliseconds=250), "250 milliseconds"),
    ],
)
def test_reading_and_writing(text: str, span: timedelta, written: str) -> None:
    assert parse_interval(text) == span
    assert interval_sql(span) == written


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1 month", "no fixed length: a month is 28 to 31 days"),
        ("2 years", "no fixed length"),
        ("1 mon", "no fixed length"),
        ("1 day 2 days", "names days twice"),
        ("1.5 hours", "is not an interval"),
        ("days", "is not an interval"),
        ("7", "is not an interval"),
        ("01:30:00", "is not an interval"),
        ("7 days ago", "is not an interval"),
        ("-7 days", "is not an interval"),
        ("7 days'; DROP TABLE x; --", "is not an interval"),
        ("1 parsec", "unknown unit 'parsec'"),
        ("", "is empty"),
        ("9" * 17 + " weeks", "longer than a hundred years"),
        ("9" * 5_000 + " days", "is not an interval"),
        ("36525 days 1 hour", "longer than a hundred years"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        parse_interval(text)
    assert len(str(caught.value)) < 200


@given(st.timedeltas(min_value=timedelta(), max_value=LONGEST))
def test_every_span_survives_being_written(span: timedelta) -> None:
    assert parse_interval(interval_sql(span)) == span


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_interval(text) >= timedelta()


def test_nothing_below_zero_is_written() -> None:
    with pytest.raises(ValueError, match="below zero"):
        interval_sql(timedelta(seconds=-1))
