"""Growth before and after, and what is saved in money."""

from datetime import UTC, datetime

import pytest

from ms5ops.config import Costs
from ms5ops.scorecard.storage_answers import cost, gb_months, growth_down
from tests.scorecard.examples import DAY, DEPLOYED, NOW, live, material, sizes, told, totals

MONTH = 365.25 / 12
PRICE = Costs(price_per_gb_month=0.5, currency="EUR")
BEFORE = [(DEPLOYED - 60 * DAY, 10.0, 10.0), (DEPLOYED - 30 * DAY, 20.0, 20.0), (DEPLOYED - DAY, 29.0, 29.0)]
CAUGHT_UP = DEPLOYED + 10 * DAY


def test_growth_from_the_snapshots_of_both_sides() -> None:
    after = [(DEPLOYED + DAY, 30.0, 30.0, 25), (CAUGHT_UP, 9.0, 33.0), (CAUGHT_UP + 30 * DAY, 11.0, 43.0)]
    given = growth_down(material(storage=sizes(*BEFORE, *after)))
    was, is_now = 19 / 59 * MONTH, 2 / 30 * MONTH  # GB a month
    assert given.value == pytest.approx(1 - is_now / was)
    assert (given.status, given.measured_at) == ("met", CAUGHT_UP + 30 * DAY)
    assert given.text == "9.8 GB → 2.0 GB a month (79 % less)"
    assert given.trend is not None
    assert [one.month for one in given.trend.points] == ["2026-08", "2026-10"]
    assert given.trend.points[-1].value == pytest.approx(2e9 / 30 * MONTH)


def test_growth_that_only_halved_misses_it_and_shrinking_meets_it() -> None:
    half = [(CAUGHT_UP, 9.0, 33.0), (CAUGHT_UP + 30 * DAY, 14.0, 43.0)]
    assert growth_down(material(storage=sizes(*BEFORE, *half))).status == "not met"
    smaller = [(CAUGHT_UP, 9.0, 33.0), (CAUGHT_UP + 30 * DAY, 8.0, 33.0)]
    given = growth_down(material(storage=sizes(*BEFORE, *smaller)))
    assert (given.status, given.text) == ("met", "9.8 GB → -1.0 GB a month (it shrinks)")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ((), "Snapshots from before the first deployment cover less than a week."),
        (BEFORE, "Snapshots from after the first deployment cover less than a week in which compression"),
        (
            [*BEFORE, (CAUGHT_UP, 29.0, 29.0, 9), (CAUGHT_UP + 30 * DAY, 30.0, 30.0, 2)],
            "Snapshots from after the first deployment cover less than a week in which compression has caught up.",
        ),
        (
            [(DEPLOYED - 60 * DAY, 10.0, 10.0), (DEPLOYED - DAY, 10.0, 10.0), (CAUGHT_UP, 9.0, 9.0),
             (NOW, 9.0, 9.0)],
            "Storage did not grow before",
        ),
    ],
)  # fmt: skip
def test_growth_that_cannot_be_told(rows: list[tuple[datetime, float, float]], reason: str) -> None:
    given = growth_down(material(storage=sizes(*rows)))
    assert (given.status, given.value) == ("not measured yet", None)
    assert given.reason.startswith(reason)


def test_cost_is_added_up_over_the_snapshots() -> None:
    stored = sizes((NOW - 61 * DAY, 10.0, 10.0), (NOW - 30 * DAY, 10.0, 14.0))
    given = cost(material(storage=stored, costs=PRICE, live=live(size=totals(10_000_000_000, 18_000_000_000))))
    assert given.value == pytest.approx(4.0)
    assert (given.status, given.text) == ("met", "4.00 EUR saved a month")
    saved = (31 * 2 + 30 * 6) / MONTH * 0.5
    assert f"Saved so far: {saved:.2f} EUR." in given.reason
    assert given.reason.startswith("Storage costs 5.00 EUR a month; uncompressed it would be 9.00 EUR.")
    growth = 4 / 30 * MONTH * 0.5
    assert any(f"uncompressed it would have added {growth:.2f} EUR" in line for line in given.details)
    assert given.measured_at == NOW


def test_cost_of_what_is_not_compressed_and_without_a_price() -> None:
    nothing = totals(10_000_000_000, 10_000_000_000)
    assert cost(material(costs=PRICE, live=live(size=nothing))).status == "not met"
    given = cost(material(live=live(size=nothing)))
    assert (given.status, given.value) == ("not measured yet", None)
    assert "[costs]" in given.reason
    assert cost(material(costs=PRICE)).status == "not measured yet"


def test_gigabyte_months_are_those_of_the_trapezium() -> None:
    at = [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC) + MONTH * DAY]
    assert gb_months(at, [0.0, 10.0]) == pytest.approx(5.0)
    assert gb_months(at[:1], [10.0]) == 0.0


def test_growth_needs_the_journal() -> None:
    assert growth_down(material(spans=told(()), storage=sizes(*BEFORE))).status == "not measured yet"
