"""Months, strides and windows of the simulated calendar."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ms5ops.replay.calendar import Scale, months, refresh_window, strides


@given(some.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=some.just(UTC)), some.integers(1, 12))
def test_months_end_now_and_have_names_of_their_own(now: datetime, before: int) -> None:
    found = months(now, Scale(before=before, after=3))
    assert found[-1].end == now
    assert len({month.label for month in found}) == before + 3
    assert all(month.end == following.start for month, following in pairwise(found))
    assert all(28 <= month.days <= 31 for month in found)
    assert [month.is_after for month in found] == [False] * before + [True] * 3


def test_the_last_day_of_a_longer_month_is_kept_within_a_shorter_one() -> None:
    ends = [month.end.date().isoformat() for month in months(datetime(2026, 3, 31, tzinfo=UTC), Scale(1, 2))]
    assert ends == ["2026-01-31", "2026-02-28", "2026-03-31"]


def test_strides_cover_the_span_and_the_last_is_shorter() -> None:
    start = datetime(2026, 5, 1, tzinfo=UTC)
    found = list(strides(start, start + timedelta(days=7), timedelta(days=3)))
    assert [(end - begin).days for begin, end in found] == [3, 3, 1]
    assert found[0][0] == start
    assert found[-1][1] == start + timedelta(days=7)


@pytest.mark.parametrize(
    ("bucket", "offset", "expected"),
    [
        (timedelta(hours=1), timedelta(hours=1), ("2026-05-03 22:00", "2026-05-06 11:00")),
        (timedelta(days=1), timedelta(days=1), ("2026-05-02 00:00", "2026-05-05 00:00")),
        (timedelta(days=7), timedelta(days=7), ("2026-04-20 00:00", "2026-04-27 00:00")),  # Mondays
    ],
)
def test_windows_hold_whole_buckets(bucket: timedelta, offset: timedelta, expected: tuple[str, str]) -> None:
    start, end = datetime(2026, 5, 4, 0, 30, tzinfo=UTC), datetime(2026, 5, 6, 12, 10, tzinfo=UTC)
    window = refresh_window(start, end, bucket, offset)
    assert window is not None
    assert tuple(instant.strftime("%Y-%m-%d %H:%M") for instant in window) == expected


def test_no_window_where_no_bucket_is_complete() -> None:
    start = datetime(2026, 5, 6, 12, tzinfo=UTC)
    assert refresh_window(start, start + timedelta(hours=1), timedelta(days=7), timedelta(days=30)) is None
