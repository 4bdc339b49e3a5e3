"""Runs and comparisons in words: what a manager reads has to be right, and nothing unmeasured may look measured."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ms5ops.benchmark.compare import Side, compare
from ms5ops.benchmark.comparison_summary import (
    card_texts,
    factor_text,
    headline,
    interval_text,
    promise_frame,
    speed_text,
    verdict_frame,
)
from ms5ops.benchmark.expected import Outside
from ms5ops.benchmark.records import GROUPS
from ms5ops.benchmark.run_summary import (
    GROUP_TITLES,
    benchmark_title,
    group_summaries,
    kept,
    marks,
    result_frame,
    target_text,
    value_text,
    verdict,
)
from ms5ops.benchmark.selection import DeploymentSpan
from ms5ops.benchmark.sides import choices, first_pair, outside_figures, sizes_beside, stored_growth
from ms5ops.benchmark.statistics import Estimate
from ms5ops.benchmark.trend_summary import change_frame
from ms5ops.benchmark.trend_summary import headline as trend_headline
from ms5ops.benchmark.trends import trends
from tests.benchmark.example_runs import START, SURROUNDINGS, example_run, failed, result

DAY = timedelta(days=1)


def test_a_target_is_kept_by_the_p95_and_of_rates_by_the_median() -> None:
    values = np.array([10.0] * 18 + [400.0, 400.0])
    assert kept(result("one", values, target=100.0)) == "not met"
    assert kept(result("one", values, target=500.0)) == "met"
    assert kept(result("one", values, target=None)) == "no target"
    assert kept(result("rate", np.array([11_000.0] * 9 + [2_000.0]), None, 10_000.0, unit="rows/s")) == "met"
    assert kept(result("rate", np.array([9_000.0] * 9 + [20_000.0]), None, 10_000.0, unit="rows/s")) == "not met"
    assert kept(failed("one", "recent", "It is not there.")) == "not measured"


def test_groups_name_the_benchmark_nearest_to_its_limit() -> None:
    results = (
        result("easy", np.full(20, 10.0), "recent", 100.0),
        result("tight", np.full(20, 90.0), "recent", 100.0),
        failed("gone", "recent", "It is not there."),
    )
    found = {one.group: one for one in group_summaries(results)}
    assert list(found) == list(GROUPS)
    assert found["recent"].kept == "met"
    assert found["recent"].sentence == (
        "nearest to its limit: Tight, 90.0 ms (promised: at most 100 ms); 1 benchmark gave no figure"
    )
    assert found["report"].kept == "not measured"
    assert found["report"].sentence == ""


def test_a_run_in_a_sentence() -> None:
    found = verdict(example_run(speed=1))
    assert found.severity == "warning"
    assert found.text.startswith("4 of 9 performance targets met. Not met: Recent metric, Minute series day")
    assert "1 benchmark gave no usable answer" in found.text
    nothing = replace(example_run(), results=(failed("one", "recent", "It is not there."),))
    assert verdict(nothing).severity == "info"
    whole = example_run()
    absent = replace(failed("one", "recent", "No such table."), outcome="not there")
    said = verdict(replace(whole, results=(*whole.results, absent))).text
    assert said == f"{verdict(whole).text} Not measured, for what it reads is not there: 1 benchmark."


def test_what_is_special_of_a_run_is_marked() -> None:
    header = replace(example_run().header, origin="replayed", is_partial=True, is_quick=True)
    assert marks(header) == ("replayed", "partial", "quick")
    assert marks(example_run().header) == ()


def test_unmeasured_is_a_dash() -> None:
    frame = result_frame(example_run().results).set_index("benchmark")
    row = frame.loc["energy_day_aggregate"]
    assert (row["median"], row["p95"], row["kept"], row["outcome"]) == ("–", "–", "Not measured", "failed")
    assert set(frame["group"]) <= set(GROUP_TITLES.values())


def test_values_and_titles_as_people_write_them() -> None:
    assert value_text(0.35, "ms") == "0.35 ms"
    assert value_text(14_200.4, "rows/s") == "14,200 rows/s"
    assert value_text(12.34, "queries/s") == "12.3 queries/s"
    assert value_text(float("nan"), "ms") == "–"
    assert [target_text(one, "ms") for one in (100, 2_000, 300_000)] == ["100 ms", "2 s", "5 min"]
    assert target_text(300, "s") == "5 min"
    assert benchmark_title("oee_hours_of_week") == "OEE hours of week"


def test_speeds_in_words() -> None:
    assert [factor_text(one) for one in (1.081, 2.34, 24.4, 1300)] == ["1.08x", "2.3x", "24x", "1,300x"]
    assert [speed_text(one) for one in (2.34, 1 / 1.2, 1.001, None)] == ["2.3x faster", "1.20x slower", "the same", "–"]
    assert interval_text(Estimate(2.3, 1.9, 2.8)) == "1.90x to 2.8x faster"
    assert interval_text(Estimate(0.5, 0.4, 0.6)) == "1.67x to 2.5x slower"
    assert interval_text(Estimate(1.0, 0.9, 1.1)) == "1.11x slower to 1.10x faster"
    assert interval_text(Estimate(1.0, 0.0, float("inf"))) == "any times slower to any times faster"
    assert interval_text(Estimate(2.0)) == "–"


def test_the_headline_says_how_much_and_what_got_worse() -> None:
    before, after = example_run("before"), example_run("after", speed=9, seed=2)
    found = compare(Side("before", (before,)), Side("after", (after,)))
    assert headline(found).severity == "ok"
    assert headline(found).text.startswith("8.9x faster over 8 queries (95 % interval ")
    assert headline(found).text.endswith("x faster): 8 faster, 1 inconclusive, 1 not comparable.")
    assert card_texts(found.suite) == ("8.9x", "faster")
    back = headline(compare(Side("after", (after,)), Side("before", (before,))))
    assert back.severity == "warning"
    assert "8.9x slower" in back.text
    assert "and 5 more" in back.text


def test_other_hardware_spoils_the_headline() -> None:
    other = replace(SURROUNDINGS, hardware={"client processor": "Another", "client cores": "2"})
    found = headline(
        compare(
            Side("before", (example_run("before"),)),
            Side("after", (example_run("after", speed=9, seed=2, surroundings=other),)),
        )
    )
    assert found.severity == "warning"
    assert "Client processor" in found.text


def test_promises_stand_beside_what_was_measured() -> None:
    before, after = example_run("before"), example_run("after", speed=9, seed=2)
    outside = Outside(growth_before_bytes=9.8e9, growth_after_bytes=1.5e9, saved_share_after=0.86)
    found = promise_frame(compare(Side("b", (before,)), Side("a", (after,)), None, outside)).set_index("title")
    growth = found.loc["Growth of storage"]
    assert tuple(growth[["expected", "before", "after", "met"]]) == (
        "10 GB a month → 1 to 2 GB a month", "9.8 GB a month", "1.5 GB a month", "Met",
    )  # fmt: skip
    assert found.loc["Loading a dashboard", "expected"] == "3 to 8 s → 0.5 to 1.5 s"
    assert found.loc["Saved by compression", "after"] == "86 %"
    unmeasured = promise_frame(compare(Side("b", (before,)), Side("a", (after,)))).set_index("title")
    assert tuple(unmeasured.loc["Growth of storage", ["before", "after", "met"]]) == ("–", "–", "Not measured")


def test_no_infinity_and_no_gap_in_the_verdict_table() -> None:
    found = compare(Side("b", (example_run("b", count=3),)), Side("a", (example_run("a", seed=2, count=3),)))
    frame = verdict_frame(found)
    assert len(frame) == 10
    assert set(frame["verdict"]) == {"Inconclusive", "Not comparable"}
    assert frame["n"].iloc[0] == "3 / 3"


def test_the_first_pair_is_around_the_newest_deployment_with_runs_on_both_sides() -> None:
    headers = [example_run("a", seed=day, started_at=START + day * DAY, source="db").header for day in (0, 2, 4)]
    done = DeploymentSpan("d1", 1, START + DAY, START + DAY * 1.5, None, "db")
    without_after = DeploymentSpan("d2", 2, START + 6 * DAY, START + 7 * DAY, None, "db")
    assert first_pair(headers, [done, without_after]) == ("before:1", "after:1")
    assert first_pair(headers, []) == (headers[1].run_id, headers[2].run_id)
    assert first_pair(headers[:1], []) is None


def test_choices_hold_only_what_has_runs() -> None:
    headers = [example_run("a", seed=day, started_at=START + day * DAY, source="db").header for day in (0, 2, 40)]
    deployment = DeploymentSpan("d1", 1, START + 50 * DAY, START + 51 * DAY, None, "db")
    found = choices(headers, [deployment])
    assert [one.word for one in found] == [
        "before:1", "2026-11", "2026-10", "a", headers[2].run_id, headers[1].run_id, headers[0].run_id,
    ]  # fmt: skip
    assert found[0].title == "Before deployment 1, 2026-11-24"
    assert found[2].title == "Month 2026-10 (2 runs)"


@pytest.mark.parametrize(
    ("days", "growth"),
    [([(0, 100.0), (30.4375, 400.0)], 300.0), ([(0, 100.0), (3, 400.0)], None), ([(0, 400.0), (30, 100.0)], None)],
)
def test_growth_is_told_over_a_week_at_least(days: list[tuple[float, float]], growth: float | None) -> None:
    sizes = pd.DataFrame(
        [(pd.Timestamp(START + DAY * day), size) for day, size in days], columns=["taken_at", "size_bytes"]
    )
    assert stored_growth(sizes, None, None) == (None if growth is None else pytest.approx(growth))


def test_what_compression_saves_now_is_of_the_newest_run_only() -> None:
    old, new = (example_run("a", started_at=START + day * DAY, seed=day).header for day in (0, 9))
    none = pd.DataFrame({"taken_at": pd.to_datetime([], utc=True), "size_bytes": []})
    assert outside_figures(none, [old, new], [old], [new], 0.8).saved_share_after == 0.8
    assert outside_figures(none, [old, new], [new], [old], 0.8).saved_share_after is None


def test_growth_is_that_of_the_runs_own_origin() -> None:
    run = example_run("a", started_at=START, seed=1).header
    stored = pd.DataFrame(
        [
            (pd.Timestamp(START + day * DAY), origin, "s.metric_hist", size, size)
            for day, origin, size in ((0, "replayed", 100.0), (30, "replayed", 400.0), (90, "simulated", 400.0))
        ],
        columns=["taken_at", "origin", "table_name", "size_bytes", "uncompressed_bytes"],
    )
    replayed = sizes_beside(stored, [replace(run, origin="replayed")])
    assert list(replayed["size_bytes"]) == [100.0, 400.0]
    assert list(sizes_beside(stored, [replace(run, origin="simulated")])["size_bytes"]) == [400.0]
    assert sizes_beside(stored, [replace(run, origin="measured")]).empty


def test_growth_after_a_deployment_counts_from_its_end() -> None:
    old, new = (example_run("a", started_at=START + day * DAY, seed=day).header for day in (0, 31))
    sizes = pd.DataFrame(
        [
            (pd.Timestamp(START + day * DAY), size)
            for day, size in ((0.1, 900.0), (1.5, 100.0), (30.9, 200.0), (60, 500.0))
        ],
        columns=["taken_at", "size_bytes"],
    )
    deployment = DeploymentSpan("d1", 1, START + DAY, START + 1.2 * DAY)
    found = outside_figures(sizes, [old, new], [old], [new], None, deployments=[deployment])
    assert found.growth_after_bytes == stored_growth(sizes, START + 1.2 * DAY, None)
    long_ago = DeploymentSpan("d0", 0, START - 9 * DAY, START - 8 * DAY)
    assert outside_figures(sizes, [old, new], [old], [new], None, deployments=[long_ago]).growth_after_bytes is None


def test_trends_in_words() -> None:
    def series(*speeds: float) -> tuple[str, str, int]:
        found = trends(
            [
                example_run(speed=speed, started_at=datetime(2026, month, 1, tzinfo=UTC), seed=month, count=8)
                for month, speed in enumerate(speeds, start=1)
            ]
        )
        told = trend_headline(found)
        return told.severity, told.text, len(change_frame(found))

    severity, text, changes = series(1, 1, 1, 1, 0.25, 0.25, 0.25, 0.25)
    assert (severity, changes) == ("warning", 8)
    assert text.startswith("Slower than it was over 8 runs in 8 months, and still is:")
    severity, text, changes = series(1, 1, 1, 1, 4, 4, 4, 4)
    assert (severity, changes) == ("ok", 8)
    assert series(1, 1, 1)[1:] == ("No change of level stands out over 3 runs in 3 months.", 0)
