"""Figures of runs, comparisons and trends: what they draw, with which words, and from where to where."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from ms5ops.benchmark.compare import Comparison, Side, compare
from ms5ops.benchmark.records import Run
from ms5ops.benchmark.run_summary import distributions, shown_samples
from ms5ops.benchmark.trend_summary import month_table, with_intervals
from ms5ops.benchmark.trends import Trends, trends
from ms5ops.benchmark.verdicts import BenchmarkComparison
from ms5ops.figures.benchmark import (
    distribution_figure,
    ecdf_figure,
    is_wide,
    round_values,
    samples_figure,
    tick_text,
)
from ms5ops.figures.comparison import Reach, forest_figure, reach_of, trend_figure
from tests.benchmark.example_runs import SURROUNDINGS, example_run


@pytest.fixture(scope="module")
def slow() -> Run:
    return example_run("before")


@pytest.fixture(scope="module")
def compared(slow: Run) -> Comparison:
    return compare(Side("before", (slow,)), Side("after", (example_run("after", speed=9, seed=2),)))


@pytest.fixture(scope="module")
def months() -> Trends:
    after = replace(SURROUNDINGS, timescaledb_version="2.29.2", deployment_id="d1", policy_hash="p1")
    runs = [
        example_run(
            f"month {month} <b>", speed=1 if month < 5 else 6, started_at=datetime(2026, month, 1, tzinfo=UTC),
            seed=month, count=12, surroundings=SURROUNDINGS if month < 5 else after,
        )
        for month in range(1, 9)
    ]  # fmt: skip
    return trends(runs)


def traces(figure: go.Figure, name: str) -> list[Any]:
    return [trace for trace in figure.data if trace.name == name]


def plain(figure: go.Figure) -> str:
    text = figure.to_json()
    assert isinstance(text, str)
    assert "Infinity" not in text
    return text


def test_a_distribution_shows_every_sample_and_every_target(slow: Run) -> None:
    frame = distributions(slow)
    figure = distribution_figure(frame, shown_samples(slow.samples, list(frame["benchmark"])))
    assert len(frame) == 8  # the rates of the ingest benchmark have another unit
    assert len(traces(figure, "One sample")[0].x) == 8 * 25
    assert len(traces(figure, "Target")[0].x) == 8
    missed, met = traces(figure, "Target not met")[0], traces(figure, "Target met")[0]
    assert len(missed.y) + len(met.y) == 8
    by_name = frame.set_index("benchmark")["kept"]
    assert by_name["plant_dashboard"] == "not met"
    assert by_name["latest_100"] == "met"
    assert figure.layout.yaxis.ticktext[0] == "Latest 100"
    assert figure.layout.xaxis.type == "log"
    low, high = (10**end for end in figure.layout.xaxis.range)
    assert low < slow.samples["value"].min()
    assert high > 10_000  # the report's target


def test_many_samples_are_thinned_with_both_extremes(slow: Run) -> None:
    name = "latest_100"
    many = slow.samples[slow.samples["benchmark"] == name].sample(5_000, replace=True, random_state=1)
    thin = shown_samples(many, [name])
    assert len(thin) == 120
    assert thin["value"].min() == many["value"].min()
    assert thin["value"].max() == many["value"].max()


def test_hostile_names_are_text() -> None:
    figure = ecdf_figure({"<img src=x onerror=alert(1)>": [1.0, 2.0], "after": [1.0]}, "ms")
    assert figure.data[0].name == "&lt;img src=x onerror=alert(1)&gt;"


def test_a_share_rises_to_one_and_the_target_is_where_it_is() -> None:
    figure = ecdf_figure({"one": [3.0, 1.0, 2.0, 400.0]}, "ms", target=1000.0)
    assert list(figure.data[0].x) == [1.0, 2.0, 3.0, 400.0]
    assert list(figure.data[0].y) == [0.25, 0.5, 0.75, 1.0]
    assert figure.layout.xaxis.type == "log"
    assert any(shape.x0 == 1000.0 for shape in figure.layout.shapes)
    annotation = next(one for one in figure.layout.annotations if one.text == "target 1 s")
    assert annotation.x == pytest.approx(3.0)  # plotly places texts by the logarithm


def test_a_far_target_does_not_press_samples_flat(slow: Run) -> None:
    own = slow.samples[slow.samples["benchmark"] == "latest_100"]
    far = samples_figure(own, "ms", 2000.0, 18.0)
    assert far.layout.yaxis.range[1] < 100
    near = samples_figure(own, "ms", 60.0, 18.0)
    assert near.layout.yaxis.range[1] > 60


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (1.0, 9.0, [1, 2, 5]),
        (0.5, 40.0, [0.5, 1, 2, 5, 10, 20]),
        (0.5, 400.0, [1, 3, 10, 30, 100, 300]),
        (0.01, 10_000.0, [0.01, 0.1, 1, 10, 100, 1000, 10_000]),
    ],
)
def test_ticks_of_a_logarithmic_axis_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert round_values(low, high) == pytest.approx(ticks)


def test_ticks_have_their_unit() -> None:
    assert [tick_text(value, "ms") for value in (0.1, 20, 5000)] == ["0.1 ms", "20 ms", "5 s"]
    assert tick_text(2, "s") == "2 s"
    assert tick_text(20_000, "rows/s") == "20,000"
    assert not is_wide([])
    assert is_wide([1, 9])
    assert not is_wide([0, 5, 6])


def test_the_forest_has_a_mark_per_benchmark_and_the_whole(compared: Comparison) -> None:
    figure = forest_figure(compared)
    plain(figure)
    faster, whole = traces(figure, "Faster")[0], traces(figure, "Geometric mean")[0]
    assert len(faster.x) == 8
    assert whole.x[0] == pytest.approx(9, rel=0.1)
    assert "9 slower" not in str(faster.customdata)
    assert list(figure.layout.yaxis.ticktext)[-1] == "All queries together"
    assert {"← slower", "faster →"} <= {one.text for one in figure.layout.annotations}
    low, high = figure.layout.xaxis.range
    assert low < math.log10(1 / 1.25)  # there is room to be slower in, too
    assert high > math.log10(9)


def test_the_forest_holds_an_interval_without_end(compared: Comparison) -> None:
    def endless(one: BenchmarkComparison) -> BenchmarkComparison:
        return replace(one, speedup=replace(one.speedup, low=0.0, high=math.inf)) if one.speedup else one

    wide = replace(compared, benchmarks=tuple(endless(one) for one in compared.benchmarks))
    plain(forest_figure(wide))
    reach = reach_of(wide)
    assert reach.fast < 25
    assert reach.slow > 0


def test_an_axis_is_named_at_round_factors() -> None:
    reach = Reach(slow=1 / 3, fast=30)
    assert reach.ticks() == pytest.approx([1 / 2, 1, 2, 5, 10, 20])
    assert reach.share(reach.slow) == 0
    assert reach.share(1000) == 1
    assert reach.share(math.sqrt(10)) == pytest.approx(0.5)


def test_a_trend_shows_its_change_and_what_happened(months: Trends) -> None:
    series = next(one for one in months.series if one.benchmark == "recent_metric")
    figure = trend_figure(series, months.events)
    plain(figure)
    assert len(traces(figure, "Median of a run")[0].x) == 8
    assert traces(figure, "Upgrade")[0].customdata[0].count("2.29.2") == 1
    assert "&lt;b&gt;" in traces(figure, "Median of a run")[0].customdata[0]
    assert any("faster" in (one.text or "") for one in figure.layout.annotations)


def test_a_trend_has_intervals_where_samples_are_given(months: Trends) -> None:
    series = next(one for one in months.series if one.benchmark == "recent_metric")
    bare = replace(series, points=tuple(replace(one, low=None, high=None) for one in series.points))
    first = example_run("x", count=12).samples.query("benchmark == 'recent_metric'")
    assert not traces(trend_figure(bare, ()), "95 % interval of the median")
    told = with_intervals(bare, first.assign(run_id=series.points[0].run_id))
    assert told.points[0].low is not None
    assert told.points[0].low < float(np.median(first["value"])) < (told.points[0].high or 0)
    assert told.points[1].low is None
    assert traces(trend_figure(told, ()), "95 % interval of the median")


def test_months_stand_side_by_side(months: Trends) -> None:
    table, names = month_table(months.series)
    assert names == tuple(f"2026-{month:02}" for month in range(1, 9))
    assert len(table) == 9
    assert str(table.set_index("title").loc["Ingest 1000", "2026-01"]).endswith("rows/s")


def test_a_far_target_does_not_press_a_trend_flat(months: Trends) -> None:
    series = next(one for one in months.series if one.target_p95 is not None)
    slowest = max(point.p95 or point.median or 0.0 for point in series.points)
    for factor, is_near in ((2, True), (200, False)):
        figure = trend_figure(replace(series, target_p95=slowest * factor), ())
        assert any("target p95" in (one.text or "") for one in figure.layout.annotations) is is_near
