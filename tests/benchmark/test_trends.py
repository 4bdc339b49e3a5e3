"""Series over runs and months, changes of level, and what explains them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from ms5ops.benchmark.change_points import MIN_SEGMENT, change_points
from ms5ops.benchmark.records import Run, RunHeader, Surroundings
from ms5ops.benchmark.selection import DeploymentSpan
from ms5ops.benchmark.statistics import Values
from ms5ops.benchmark.trends import Series, by_month, events_between, trends
from tests.benchmark.example_runs import START, SURROUNDINGS, example_run, failed, result

DAY = timedelta(days=1)
NOISE = 0.05


def walk(random: np.random.Generator, count: int, alike: float = 0.0) -> Values:
    """Medians of runs that scatter by 5 % around 80; ``alike``: how much of a run's deviation the next one keeps."""
    steps = random.normal(0, NOISE, count)
    for place in range(1, count):
        steps[place] += alike * steps[place - 1]
    return 80 * np.exp(steps)


def outlying(random: np.random.Generator, count: int) -> Values:
    medians = walk(random, count)
    medians[random.integers(count)] *= 4
    return medians


@pytest.mark.parametrize("count", [6, 12, 30, 100])
@pytest.mark.parametrize(
    ("series", "at_most"),
    [
        (walk, 0.01),
        (lambda random, count: 80 * np.exp(NOISE * random.standard_t(3, count)), 0.05),
        (outlying, 0.02),
        (lambda random, count: walk(random, count, alike=0.4), 0.06),
    ],
    ids=["independent runs", "heavy tails", "one bad night", "runs like their neighbours"],
)
def test_false_alarms_are_rare(
    series: Callable[[np.random.Generator, int], Values], at_most: float, count: int
) -> None:
    random, trials = np.random.default_rng(1), 120
    alarms = sum(bool(change_points(series(random, count))) for _ in range(trials))
    assert alarms <= trials * at_most + 3 * np.sqrt(trials * at_most)


@pytest.mark.parametrize(
    ("count", "change", "power"), [(8, 0.4, 0.9), (12, 0.3, 0.9), (30, 0.15, 0.9), (100, 0.15, 0.9)]
)
def test_changes_are_found_where_they_are(count: int, change: float, power: float) -> None:
    random, trials, at = np.random.default_rng(2), 60, count * 2 // 3 - 1
    found = 0
    for _ in range(trials):
        medians = walk(random, count)
        medians[at:] *= np.exp(change)
        places = [one.place for one in change_points(medians)]
        found += len(places) == 1 and abs(places[0] - at) <= 1
    assert found / trials >= power


def test_two_changes_and_their_size() -> None:
    medians = walk(np.random.default_rng(3), 40)
    medians[12:] *= 0.5
    medians[30:] *= 1.4
    first, second = change_points(medians)
    assert (first.place, second.place) == (12, 30)
    assert (first.runs_before, first.runs_after, second.runs_after) == (12, 18, 10)
    assert first.ratio.low is not None
    assert first.ratio.high is not None
    assert first.ratio.low < 0.5 < first.ratio.high
    assert first.p < 0.001


def test_too_few_runs_and_runs_that_agree_too_well_show_nothing() -> None:
    assert change_points(np.array([1.0, 1.0, 5.0, 5.0, 5.0])) == ()
    assert change_points(np.full(30, 80.0)) == ()
    flat = np.array([80.0] * 15 + [80.4] * 15)
    assert change_points(flat) == ()
    clear = np.array([80.0] * 5 + [120.0] * MIN_SEGMENT)
    assert [one.place for one in change_points(clear)] == [5]


# Series of runs ---------------------------------------------------------------------------------------------


def nightly(
    speeds: Sequence[float], surroundings: Callable[[int], Surroundings] = lambda _: SURROUNDINGS, **changes: Any
) -> list[Run]:
    """A run each night, so many times as fast; eight samples each are plenty here."""
    return [
        example_run(
            f"night {night}", speed=speed, seed=night, started_at=START + night * DAY, count=8,
            surroundings=surroundings(night), **changes,
        )
        for night, speed in enumerate(speeds)
    ]  # fmt: skip


def of(found: Sequence[Series], benchmark: str) -> Series:
    (series,) = [one for one in found if one.benchmark == benchmark]
    return series


@pytest.fixture(scope="module")
def upgraded() -> list[Run]:
    """Twelve nights; from the seventh on TimescaleDB is newer, and everything takes twice as long."""
    return nightly(
        [1.0] * 6 + [0.5] * 6,
        lambda night: SURROUNDINGS if night < 6 else replace(SURROUNDINGS, timescaledb_version="2.29.2"),
    )


def test_a_change_names_its_levels_date_and_event(upgraded: list[Run]) -> None:
    found = trends(upgraded[::-1])
    series = of(found.series, "recent_metric")
    assert [point.at for point in series.points] == [START + night * DAY for night in range(12)]
    (change,) = series.changes
    assert (change.since, change.until) == (START + 5 * DAY, START + 6 * DAY)
    assert (change.verdict, change.runs_before, change.runs_after) == ("slower", 6, 6)
    assert change.before == pytest.approx(240, rel=0.1)
    assert change.after == pytest.approx(480, rel=0.1)
    assert change.speedup.value == pytest.approx(0.5, rel=0.1)
    assert change.event is not None
    assert (change.event.topic, change.event.text) == ("version", "TimescaleDB: 2.28.3 → 2.29.2")
    assert len(found.events) == 1
    # Ingest does not depend on the speed of queries.
    assert of(found.series, "ingest_1000").changes == ()
    assert {one.series.benchmark for one in found.regressions} == {
        one.benchmark for one in found.series if one.unit == "ms"
    }


def test_a_regression_that_was_made_good_is_none() -> None:
    again = trends(nightly([1.0] * 6 + [0.5] * 6 + [1.02] * 6))
    assert [one.verdict for one in of(again.series, "recent_metric").changes] == ["slower", "faster"]
    assert again.regressions == ()


def test_points_carry_intervals_only_of_samples() -> None:
    runs = nightly([1.0, 1.0])
    without = [replace(run, samples=run.samples.iloc[:0]) for run in runs]
    for given, is_there in ((runs, True), (without, False)):
        series = of(trends(given).series, "recent_metric")
        assert [point.low is not None for point in series.points] == [is_there] * 2
        assert series.note == "Too few runs to look for changes: 2, and it takes 6."
    point = of(trends(runs).series, "recent_metric").points[0]
    assert point.low is not None
    assert point.high is not None
    assert point.low <= point.median <= point.high


def test_other_databases_origins_and_questions_are_series_of_their_own() -> None:
    plant, replayed = nightly([1.0, 1.0]), nightly([1.0, 1.0], origin="replayed")
    assert len([one for one in trends([*plant, *replayed]).series if one.benchmark == "latest_100"]) == 2
    asked = replace(plant[1], results=tuple(replace(one, text_hash="new text") for one in plant[1].results))
    assert [len(one.points) for one in trends([plant[0], asked]).series if one.benchmark == "latest_100"] == [1, 1]


def test_runs_without_an_answer_are_no_points() -> None:
    run = replace(nightly([1.0])[0], results=(failed("latest_100", "recent", "no"), result("b", np.array([1.0, 2.0]))))
    assert [one.benchmark for one in trends([run]).series] == ["b"]


def test_events_come_from_surroundings_and_from_the_journal() -> None:
    def header(night: int, surroundings: Surroundings | None) -> RunHeader:
        return example_run(None, started_at=START + night * DAY, count=2, surroundings=surroundings).header

    deployed = replace(SURROUNDINGS, deployment_id="d-1", policy_hash="p", database_bytes=1_000_000_000)
    headers = [
        header(0, SURROUNDINGS),
        header(1, replace(SURROUNDINGS, settings={**SURROUNDINGS.settings, "jit": "off"})),
        header(2, replace(SURROUNDINGS, hardware={"client processor": "Test CPU", "client cores": "8"})),
        header(3, deployed),
        header(4, None),
        header(5, deployed),
    ]
    derived = [(one.topic, one.until - START) for one in events_between(headers)]
    assert derived == [
        ("settings", DAY), ("settings", 2 * DAY), ("hardware", 2 * DAY),
        ("deployment", 3 * DAY), ("hardware", 3 * DAY), ("volume", 3 * DAY),
    ]  # fmt: skip
    began = START + 2.5 * DAY
    span = DeploymentSpan("d-1", 4, began, began + timedelta(hours=1))
    (exact,) = [one for one in events_between(headers, [span]) if one.topic == "deployment"]
    assert (exact.since, exact.text) == (began, "Deployment 4")


def test_months_hold_the_runs_that_started_in_them() -> None:
    starts = [
        datetime(2026, 9, 30, 23, 59, tzinfo=UTC),
        datetime(2026, 10, 1, tzinfo=UTC),
        datetime(2026, 10, 31, 12, tzinfo=UTC),
    ]
    runs = [example_run(str(seed), seed=seed, started_at=start, count=8) for seed, start in enumerate(starts)]
    series = of(trends(runs).series, "recent_metric")
    september, october = by_month(series)
    assert [(one.month, one.runs, one.samples) for one in (september, october)] == [
        ("2026-09", 1, 8),
        ("2026-10", 2, 16),
    ]
    assert september.median == pytest.approx(series.points[0].median)
    assert september.low == series.points[0].low
    assert october.median == pytest.approx(np.sqrt(series.points[1].median * series.points[2].median))
    assert october.low is not None
    assert october.high is not None
    assert october.low < min(series.points[1].median, series.points[2].median)
    assert october.p95 == pytest.approx(np.median([series.points[1].p95 or 0, series.points[2].p95 or 0]))
