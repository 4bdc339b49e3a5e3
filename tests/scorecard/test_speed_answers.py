"""Benchmarks against their targets: met, not met, not measured yet, traced to their runs."""

from dataclasses import replace
from typing import Any

import pytest

from ms5ops.benchmark.load import HEADROOM, INGEST, PAGES
from ms5ops.benchmark.records import Run
from ms5ops.benchmark.verdicts import MIN_SAMPLES
from ms5ops.scorecard.records import Status
from ms5ops.scorecard.speed_answers import dashboards, double_volume, newest_results, reports, targets
from tests.benchmark.example_runs import failed
from tests.scorecard.examples import load_run, material, run, with_everything

SLOW, FAST = run(10, 1.0), run(11, 12.0)


def changed(one: Run, name: str, **values: Any) -> Run:
    """The run with one result changed."""
    return replace(
        one, results=tuple(replace(item, **values) if item.benchmark == name else item for item in one.results)
    )


def p95(one: Run, name: str) -> float | None:
    return next(item.p95 for item in one.results if item.benchmark == name)


def test_targets_are_met_where_every_group_was_measured() -> None:
    answer = targets(material(runs=(SLOW, with_everything(FAST))))
    assert (answer.status, answer.value, answer.text) == ("met", 9.0, "9 of 9 met")
    assert answer.evidence[0].id == FAST.header.run_id
    assert answer.evidence[0].parameters == {"run": FAST.header.run_id}
    assert answer.trend is not None
    assert [one.value for one in answer.trend.points] == [4.0, 0.0]
    assert (answer.trend.direction, answer.trend.change) == ("better", -1.0)


def test_targets_without_the_straining_benchmarks_are_not_judged() -> None:
    answer = targets(material(runs=(FAST,)))
    assert (answer.status, answer.value, answer.text) == ("not measured yet", 7.0, "7 of 7 met")
    assert answer.reason == "All that were measured are met; not measured yet: Many clients, Job starts."


def test_only_groups_that_are_asked_of_have_to_be_measured() -> None:
    answer = targets(material(runs=(FAST,), promised=("recent", "historical", "job latency")))
    assert answer.reason == "All that were measured are met; not measured yet: Job starts."
    assert targets(material(runs=(FAST,), promised=("recent", "historical"))).status == "met"


def test_why_double_volume_was_not_measured_is_passed_on() -> None:
    part = load_run(11, 2_000.0, 1.0)
    told = tuple(
        replace(one, outcome="not there", message="The questions of plant are its own.") for one in part.results
    )
    answer = double_volume(material(runs=(replace(part, results=told),)))
    assert (answer.status, answer.value) == ("not measured yet", None)
    assert answer.reason == "The load benchmark gave no figure. The questions of plant are its own."


def test_a_missed_target_is_one_whatever_was_not_measured() -> None:
    answer = targets(material(runs=(SLOW,)))
    assert (answer.status, answer.text) == ("not met", "3 of 7 met")
    assert "Recent metric" in answer.reason


def test_no_run_no_verdict() -> None:
    for answer in (targets, dashboards, reports, double_volume):
        given = answer(material())
        assert (given.status, given.value, given.evidence) == ("not measured yet", None, ())


def test_the_newest_figure_of_each_benchmark_counts_for_a_month() -> None:
    whole, later = with_everything(run(10, 12.0, day=20)), run(11, 12.0, day=3)
    assert newest_results([later, whole])["clients_100"].header == whole.header
    assert newest_results([later, whole])["latest_100"].header == later.header
    assert "clients_100" not in newest_results([later, with_everything(run(9, 12.0))])
    stopped = changed(later, "latest_100", outcome="stopped", p95=None, median=None)
    assert newest_results([stopped, whole])["latest_100"].header == whole.header
    few = changed(later, "latest_100", samples=MIN_SAMPLES - 1)
    assert newest_results([few, whole])["latest_100"].header == later.header
    cut_off = replace(few, header=replace(few.header, is_partial=True))
    assert newest_results([cut_off, whole])["latest_100"].header == whole.header


@pytest.mark.parametrize(("answer", "name"), [(dashboards, "plant_dashboard"), (reports, "monthly_report")])
def test_the_slowest_dashboard_and_report(answer: Any, name: str) -> None:
    fast = answer(material(runs=(SLOW, FAST)))
    assert (fast.status, fast.value) == ("met", p95(FAST, name))
    assert fast.evidence[0].id == FAST.header.run_id
    assert fast.trend.points[0].value == p95(SLOW, name)
    slow = answer(material(runs=(changed(FAST, name, p95=60_000.0),)))
    assert (slow.status, slow.value, slow.text) == ("not met", 60_000.0, "1 min")


def test_a_month_in_which_nothing_answered_in_time_has_no_figure_in_the_trend() -> None:
    none: dict[str, Any] = dict.fromkeys(("mean", "median", "minimum", "maximum", "p95", "p99"))
    out = changed(SLOW, "plant_dashboard", outcome="timed out", **none)
    given = dashboards(material(runs=(out, FAST)))
    assert (given.status, given.trend is not None and [one.month for one in given.trend.points]) == ("met", ["2026-11"])


def test_what_took_too_long_to_answer_is_missed_without_a_figure() -> None:
    none: dict[str, Any] = dict.fromkeys(("mean", "median", "minimum", "maximum", "p95", "p99"))
    given = dashboards(material(runs=(changed(FAST, "plant_dashboard", outcome="timed out", **none),)))
    assert (given.status, given.value) == ("not met", None)
    both = replace(FAST, results=(*FAST.results, failed("metric_trend", "dashboard", "no such table")))
    given = dashboards(material(runs=(both,)))
    assert (given.status, given.reason) == ("not measured yet", "These gave no figure: Metric trend.")


@pytest.mark.parametrize(
    ("reached", "pages_ms", "status", "times"),
    [(2_000.0, 700.0, "met", 2.0), (1_400.0, 700.0, "not met", 1.4), (2_000.0, 2_500.0, "not met", 2.0)],
)
def test_double_volume(reached: float, pages_ms: float, status: Status, times: float) -> None:
    found = load_run(11, reached, pages_ms)
    given = double_volume(material(runs=(found, SLOW)))
    assert (given.status, given.value) == (status, times)
    assert "9.0x the expected volume" in given.reason
    assert given.evidence[0].id == found.header.run_id


@pytest.mark.parametrize(
    ("answer", "earlier", "names"),
    [
        (dashboards, run(9, 12.0), ("plant_dashboard", "metric_trend")),
        (reports, run(9, 12.0), ("monthly_report",)),
        (double_volume, load_run(9, 2_000.0, 700.0), (INGEST, PAGES, HEADROOM)),
    ],
)
def test_an_earlier_success_does_not_hide_that_the_newest_try_failed(
    answer: Any, earlier: Run, names: tuple[str, ...]
) -> None:
    assert answer(material(runs=(earlier,))).status == "met"
    later = replace(earlier, header=run(11, 1.0).header)
    for name in names:
        later = changed(later, name, outcome="failed", p95=None, median=None, details={})
    given = answer(material(runs=(earlier, later)))
    assert (given.status, given.value) == ("not measured yet", None)
    assert "gave no figure" in given.reason
    assert given.evidence[0].id == later.header.run_id
    for name in names:
        later = changed(later, name, outcome="not there")
    assert answer(material(runs=(earlier, later))).status == "met", "it was not tried"


def test_a_load_run_without_dashboards_is_not_judged() -> None:
    part = replace(load_run(11, 2_000.0, 1.0), results=load_run(11, 2_000.0, 1.0).results[:1])
    assert double_volume(material(runs=(part,))).status == "not measured yet"
