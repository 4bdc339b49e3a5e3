from datetime import UTC, datetime, timedelta

import pytest

from ms5ops import units

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0 bytes"),
        (999, "999 bytes"),
        (999.9, "1.0 kB"),
        (1_234, "1.2 kB"),
        (123_456, "123 kB"),
        (999_600, "1.0 MB"),
        (5e12, "5.0 TB"),
        (-2_500_000, "-2.5 MB"),
    ],
)
def test_bytes(value: float | None, text: str) -> None:
    assert units.bytes_text(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0 ms"),
        (0.35, "350 ms"),
        (0.9999, "1.0 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (86_400, "1 day"),
        (86_400 * 7 + 3_600, "7 days 1 h"),
        (86_460, "1 day"),
        (-90, "-1 min 30 s"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert units.duration_text(seconds) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "–"),
        (0.354, "0.35 ms"),
        (9.996, "10.0 ms"),
        (12.44, "12.4 ms"),
        (350, "350 ms"),
        (999.6, "1.00 s"),
        (12_400, "12.4 s"),
        (90_000, "1 min 30 s"),
    ],
)
def test_milliseconds(milliseconds: float | None, text: str) -> None:
    assert units.milliseconds_text(milliseconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "–"), (999, "999"), (1_300, "1.3 k"), (482_113, "482 k"), (999_499, "999 k"), (999_999, "1.0 M"),
     (-999_999, "-1.0 M"), (1_300_000, "1.3 M"), (999_999_999, "1.0 G")],
)  # fmt: skip
def test_short_counts(count: float | None, text: str) -> None:
    assert units.short_count_text(count) == text


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (timedelta(minutes=12), "12 min ago"),
        (timedelta(hours=3, minutes=5), "3 h ago"),
        (-timedelta(hours=3), "in 3 h"),
        (timedelta(), "just now"),
    ],
)
def test_ago(before: timedelta, text: str) -> None:
    assert units.ago_text(NOW - before, NOW) == text


def test_missing_is_never_zero() -> None:
    texts = [
        units.count_text(None),
        units.percent_text(None),
        units.ratio_text(None),
        units.instant_text(None),
        units.interval_text(None),
        units.ago_text(None, NOW),
    ]
    assert set(texts) == {units.MISSING}


@pytest.mark.parametrize(
    ("change", "text"), [(0.1, "+10 %"), (-0.25, "-25 %"), (-0.001, "no change"), (0.0, "no change"), (None, "–")]
)
def test_changes(change: float | None, text: str) -> None:
    assert units.change_text(change) == text


def test_shares_and_ratios() -> None:
    assert units.percent_text(0.874) == "87 %"
    assert units.percent_text(0.874, digits=1) == "87.4 %"
    assert units.ratio_text(4.2) == "4.2x"
    assert units.instant_text(NOW) == "2026-11-23 12:00 UTC"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.496, "49.6 %"),
        (0.504, "50.4 %"),
        (0.5, "50.0 %"),
        (0.49996, "49.996 %"),
        (0.48, "48 %"),
        (-0.2, "-20 %"),
        (None, "–"),
    ],
)
def test_a_share_shows_on_which_side_of_its_target_it_lies(share: float | None, text: str) -> None:
    assert units.percent_beside(share, 0.5) == text
