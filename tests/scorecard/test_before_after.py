"""The months before the first deployment beside those after it: dashboards, degradation, failures."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ms5ops.benchmark.compare import Side, compare
from ms5ops.errors import HistoryError, PrivilegeMissing
from ms5ops.scorecard.before_after import count_slower, dashboards_down, degradation, failures
from ms5ops.scorecard.material import epoch_of, sides_around, sides_by_month
from ms5ops.scorecard.records import Status
from ms5ops.snapshots import transaction_spans
from tests.scorecard.examples import DAY, DEPLOYED, counts, material, run, span, told

BEFORE, AFTER = (run(7), run(8)), (run(10, 4.0), run(11, 5.0))


def test_dashboards_by_the_medians_of_both_sides() -> None:
    given = dashboards_down(material(runs=(*BEFORE, *AFTER)))
    medians = [
        next(one.median for one in item.results if one.benchmark == "plant_dashboard") or 0.0
        for item in (*BEFORE, *AFTER)
    ]
    was, is_now = sum(medians[:2]) / 2, sum(medians[2:]) / 2  # the median of two is their mean
    assert given.value == pytest.approx(1 - is_now / was)
    assert given.status == "met"
    assert given.measured_at == AFTER[1].header.started_at
    assert [one.id for one in given.evidence] == [AFTER[1].header.run_id, BEFORE[1].header.run_id]
    assert given.trend is not None
    assert [one.month for one in given.trend.points] == ["2026-07", "2026-08", "2026-10", "2026-11"]
    assert given.trend.direction == "not sure"  # a fifth, between single runs


def test_dashboards_that_are_a_third_faster_miss_the_half() -> None:
    given = dashboards_down(material(runs=(*BEFORE, run(10, 1.5))))
    assert given.status == "not met"
    assert "less)" in given.text
    assert dashboards_down(material(runs=(*BEFORE, run(10, 0.5)))).text.endswith("more)")


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        (BEFORE, "There is no run that measured dashboards after the first deployment."),
        (AFTER, "There is no run that measured dashboards before the first deployment."),
        ((), "There is no run that measured dashboards before or after the first deployment."),
    ],
)
def test_one_side_is_no_comparison(runs: tuple[object, ...], reason: str) -> None:
    given = dashboards_down(material(runs=runs))
    assert (given.status, given.value, given.reason) == ("not measured yet", None, reason)


def test_without_a_deployment_there_is_no_before_and_after() -> None:
    undone = span(undone_at=DEPLOYED + DAY)
    for spans in ((), (undone,), (span(finished_at=None),)):
        given = dashboards_down(material(spans=told(spans), runs=(*BEFORE, *AFTER)))
        assert given.status == "not measured yet"
        assert "No deployment that stands" in given.reason
    denied = told(PrivilegeMissing("The role may not read it.", "Grant it."))
    assert "could not be read: The role" in dashboards_down(material(spans=denied)).reason


def test_what_lies_under_a_deployment_that_was_taken_back_is_neither_side() -> None:
    undone = span(1, DEPLOYED - 40 * DAY, undone_at=DEPLOYED - 20 * DAY)
    epoch = epoch_of((undone, span(2)))
    assert epoch is not None
    assert epoch.deployment.number == 2
    at = DEPLOYED - 30 * DAY
    assert not epoch.is_before(at, at)
    assert epoch.is_before(DEPLOYED - 10 * DAY, DEPLOYED - 10 * DAY)
    headers = [one.header for one in (*BEFORE, *AFTER)]
    sides = sides_around(headers, epoch)
    assert sides is not None
    assert [one.label for one in sides[0]] == ["month 7"]  # August's run was taken under deployment 1
    assert [one.label for one in sides[1]] == ["month 10", "month 11"]


def test_each_month_after_it_has_its_own_runs_beside_the_last_before() -> None:
    epoch = epoch_of((span(),))
    assert epoch is not None
    every = [one.header for one in (*BEFORE, *AFTER, run(11, day=9), run(9))]
    found = [[[one.label for one in side] for side in sides] for sides in sides_by_month(every, epoch)]
    before = ["month 7", "month 8"]
    assert found == [[before, ["month 9"]], [before, ["month 10"]], [before, ["month 11", "month 11"]]]
    assert sides_by_month([one.header for one in AFTER], epoch) == ()


def test_months_that_cannot_be_compared_are_told_of_and_leave_the_verdict() -> None:
    compared = compare(Side("before", BEFORE), Side("after", AFTER))
    lost = HistoryError("The history is held by another process.", "Try again.")
    given = degradation(material(around=lambda: told(compared), slower_by_month=lambda: told(lost)))
    assert (given.status, given.trend) == ("met", None)
    assert given.details[-1] == "The months could not be compared: The history is held by another process."


def test_what_became_slower_is_counted_and_told_by_month() -> None:
    slower, faster = (compare(Side("b", BEFORE), Side("a", (run(10, speed),))) for speed in (0.5, 2.0))
    number = count_slower(slower)
    assert number == len(slower.regressions) > 5
    assert count_slower(faster) == 0
    elsewhere = run(10)
    moved = replace(elsewhere, header=replace(elsewhere.header, source="another:5432/db/s"))
    assert count_slower(compare(Side("b", BEFORE), Side("a", (moved,)))) is None
    by_month = ((run(10).header.started_at, number), (run(11).header.started_at, 0))
    given = degradation(material(around=lambda: told(faster), slower_by_month=lambda: told(by_month)))
    assert given.trend is not None
    assert [(one.month, one.value) for one in given.trend.points] == [("2026-10", number), ("2026-11", 0)]
    assert given.trend.direction == "better"


@pytest.mark.parametrize(("speed", "status"), [(1.0, "met"), (0.5, "not met")])
def test_degradation_by_the_verdicts_of_the_comparison(speed: float, status: Status) -> None:
    after = (run(10, speed), run(11, speed))
    compared = compare(Side("before", BEFORE), Side("after", after))
    given = degradation(material(around=lambda: told(compared)))
    assert (given.status, given.value) == (status, float(len(compared.regressions)))
    assert given.evidence[0].parameters == {"before": BEFORE[1].header.run_id, "after": after[1].header.run_id}


def test_degradation_without_runs_or_of_runs_that_differ_is_not_judged() -> None:
    assert degradation(material()).status == "not measured yet"
    assert degradation(material(spans=told(()))).status == "not measured yet"
    elsewhere = run(10)
    moved = replace(elsewhere, header=replace(elsewhere.header, source="another:5432/db/s"))
    compared = compare(Side("before", BEFORE), Side("after", (moved,)))
    assert compared.is_spoilt
    given = degradation(material(around=lambda: told(compared)))
    assert (given.status, given.value) == ("not measured yet", None)


WEEKS = [DEPLOYED - 21 * DAY, DEPLOYED - 7 * DAY, DEPLOYED + 2 * DAY, DEPLOYED + 20 * DAY]


@pytest.mark.parametrize(
    ("rolled_back", "status", "value"),
    [
        ((0, 100, 200, 300), "met", 10.0),  # 100 of 10,000 on either side
        ((0, 100, 200, 305), "met", 10.49),  # a little more: no rise that counts
        ((0, 100, 200, 500), "not met", 29.41),
    ],
)
def test_failures(rolled_back: tuple[int, ...], status: Status, value: float) -> None:
    rows = [(at, 9_900 * place, count) for place, (at, count) in enumerate(zip(WEEKS, rolled_back, strict=True))]
    given = failures(material(transactions=counts(*rows)))
    assert (given.status, round(given.value or 0, 2)) == (status, value)
    assert given.measured_at == WEEKS[-1]
    assert given.details[0].startswith("Before: 100 of 10,000 transactions did not commit")


def test_a_reset_and_a_server_that_counts_nothing_give_no_verdict() -> None:
    whole = counts(*((at, 10_000 * place, 0) for place, at in enumerate(WEEKS)))
    whole.loc[3, "counted_since"] = DEPLOYED + timedelta(days=3)
    assert list(transaction_spans(whole)["until"]) == WEEKS[1:3]
    given = failures(material(transactions=whole))
    assert given.status == "not measured yet"
    assert "too little of the time after" in given.reason
    nothing = counts(*((at, 0, 0) for at in WEEKS))
    assert "does not count its transactions" in failures(material(transactions=nothing)).reason
    assert failures(material()).status == "not measured yet"
    assert failures(material(spans=told(()), transactions=whole)).status == "not measured yet"
