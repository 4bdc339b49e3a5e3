"""The compression criterion: what fails, what passes, and what cannot be judged yet."""

from datetime import timedelta

import pytest

from ms5ops.observe.compression import TableCompression
from ms5ops.rollout.postcheck import JUDGED_AFTER, judge_saving
from tests.observe.examples import DAY, NOW, compression

LARGE = {"before_bytes": 70_000_000, "compressed_chunks": 7}
GOOD = compression(**LARGE, after_bytes=7_000_000)
POOR = compression(**LARGE, after_bytes=35_000_000)
TINY = compression(before_bytes=700_000, after_bytes=690_000)


@pytest.mark.parametrize(
    ("records", "age", "good", "says"),
    [
        ([GOOD], None, True, "90 % saved, nothing overdue"),
        ([GOOD], DAY, True, "90 % saved"),
        ([GOOD, TINY], None, True, "90 % saved"),  # what large chunks save is not spoilt by tiny ones
        ([POOR], None, False, "50 % saved"),
        ([POOR], JUDGED_AFTER, False, "50 % saved"),
        ([POOR, TINY], JUDGED_AFTER, False, "50 % saved"),
        ([POOR], JUDGED_AFTER - timedelta(seconds=1), None, "not measured yet: 50 % saved so far, 6 days 23 h"),
        ([TINY], 30 * DAY, None, "not measured yet: 1 % saved so far, in chunks of "),
        ([compression(**LARGE, after_bytes=7_000_000, late_chunks=2)], DAY, False, "2 chunks overdue"),
        ([compression(before_bytes=0, compressed_chunks=0, late_chunks=1)], DAY, False, "1 chunks overdue"),
        ([compression(before_bytes=0, compressed_chunks=0, backlog_chunks=3)], DAY, None, "3 chunks wait"),
        ([compression(before_bytes=0, compressed_chunks=0)], None, None, "no chunk is old enough"),
        ([], None, None, "no chunk is old enough"),
    ],
)
def test_compression_is_judged_when_there_is_something_to_judge(
    records: list[TableCompression], age: timedelta | None, good: bool | None, says: str
) -> None:
    found = judge_saving(records, NOW - age if age is not None else None, NOW)
    assert found.good is good, found
    assert says in found.found
    assert bool(found.advice) is (good is not True)


def test_what_is_too_early_says_from_when_on_it_is_judged() -> None:
    found = judge_saving([POOR], NOW - DAY, NOW)
    assert f"{NOW - DAY + JUDGED_AFTER:%Y-%m-%d}" in found.advice
