"""The card as a whole: its sentence, its months, and that no value mixes origins."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ms5ops.figures.scorecard import sparkline, sparkline_image
from ms5ops.observe.overview import as_plain
from ms5ops.scorecard import card, months
from ms5ops.scorecard.records import AREAS, Criterion, Scorecard, judged, unmeasured
from tests.scorecard.examples import DAY, DEPLOYED, check, kept_checks, live, material, run

EMPTY = card.scorecard([material()])


def with_answers(*good: bool | None) -> Scorecard:
    answers = [unmeasured("No.") if one is None else judged(one, 1.0, "1", "So.") for one in good]
    made = (Criterion(question, answer) for (question, _), answer in zip(card.CRITERIA, answers, strict=False))
    return replace(EMPTY, criteria=tuple(made))


@pytest.mark.parametrize(
    ("good", "severity", "sentence"),
    [
        ((True, True), "ok", "All 2 success criteria are met."),
        ((True, None), "info", "1 of 2 success criteria is met, and none is missed; 1 is not measured yet."),
        ((None, None), "info", "Nothing is measured yet: none of the 2 success criteria can be judged."),
        (
            (True, False),
            "warning",
            "1 of 2 success criteria is met. Not met: All validation checks pass.",
        ),
    ],
)
def test_the_sentence(good: tuple[bool | None, ...], severity: str, sentence: str) -> None:
    verdict = with_answers(*good).verdict
    assert (verdict.severity, verdict.text) == (severity, sentence)


def test_nothing_measured_gives_no_verdict_but_on_what_was_read() -> None:
    bare = card.scorecard([material(live=None, origin="replayed")])
    assert {one.answer.status for one in bare.criteria} == {"not measured yet"}
    assert [len(bare.of(area)) for area in AREAS] == [4, 4, 4]
    for one in bare.criteria:
        assert one.answer.value is None
        assert one.question.measure.command.startswith("python -m ms5ops ")
        assert one.answer.reason.endswith(".")


def test_the_months_of_another_origin_are_shown_as_what_they_are() -> None:
    own = material(origin="simulated", live=live(checks=(check(),)))
    months_kept = [
        (DEPLOYED + days * DAY, [check(verdict=verdict)]) for days, verdict in ((0, "failed"), (30, "passed"))
    ]
    replayed = material(origin="replayed", live=None, checks=kept_checks(*months_kept))
    (found,) = (one.answer for one in card.scorecard([own, replayed]).criteria if one.question.key == "checks")
    assert (found.origin, found.status) == ("simulated", "met")
    assert found.trend is not None
    assert found.trend.origin == "replayed"
    assert [(one.month, one.value) for one in found.trend.points] == [("2026-09", 0.0), ("2026-10", 1.0)]
    (alone,) = (one.answer for one in card.scorecard([own]).criteria if one.question.key == "checks")
    assert alone.trend is not None
    assert (alone.trend.origin, len(alone.trend.points)) == (None, 1)


def test_each_value_is_of_one_origin_and_the_own_one_comes_first() -> None:
    own = material(origin="simulated", live=live(checks=(check(),)), runs=(run(10, 12.0),))
    replayed = material(origin="replayed", live=None, runs=(run(8), run(11, 4.0)))
    found = {one.question.key: one.answer for one in card.scorecard([own, replayed]).criteria}
    assert found["checks"].origin == "simulated"
    assert found["dashboards"].origin == "simulated"  # although the replayed run is newer
    assert found["dashboards_down"].origin == "replayed"
    assert found["dashboards_down"].evidence[0].id == replayed.runs[1].header.run_id


def test_the_json_has_a_list_of_criteria_with_flat_values() -> None:
    plain = as_plain(card.scorecard([material(runs=(run(10, 12.0),))]).to_json())
    assert plain["counts"]["met"] == sum(one["status"] == "met" for one in plain["criteria"])
    row = next(one for one in plain["criteria"] if one["key"] == "reports")
    assert (row["area"], row["status"], row["target"], row["unit"]) == ("business", "met", "under 10 s", "ms")
    assert row["value"] == pytest.approx(run(10, 12.0).results[7].p95)
    assert row["measured_at"] == "2026-10-03T02:00:00+00:00"
    assert row["evidence"][0]["command"] == f"python -m ms5ops benchmark show {row['evidence'][0]['id']}"


def at(month: int, day: int = 1) -> datetime:
    return datetime(2026, month, day, tzinfo=UTC)


@pytest.mark.parametrize(
    ("values", "more_is_better", "direction", "text"),
    [
        ([(at(9), 100.0), (at(10), 50.0)], False, "better", "better than last month (-50 %)"),
        ([(at(9), 100.0), (at(10), 50.0)], True, "worse", "worse than last month (-50 %)"),
        ([(at(9), 100.0), (at(10), 103.0)], False, "as before", "as last month"),
        ([(at(9), 0.0), (at(10), 2.0)], False, "worse", "worse than last month"),
        ([(at(9), 17.0), (at(10), 0.001)], False, "better", "better than last month"),
        ([(at(9), 5.0), (at(10), -2.0)], False, "better", "better than last month"),
        ([(at(8), 100.0), (at(10), 50.0)], False, None, "no value of the month before"),
    ],
)
def test_the_trend_is_against_the_calendar_month_before(
    values: list[tuple[datetime, float]], more_is_better: bool, direction: str | None, text: str
) -> None:
    found = months.trend(values, "Time", "ms", more_is_better=more_is_better)
    assert found is not None
    assert (found.direction, found.text) == (direction, text)


@pytest.mark.parametrize(
    ("now", "direction", "text"),
    [
        (13.0, "not sure", "no sure change (+30 %)"),
        (34.0, "not sure", "no sure change (+240 %)"),
        (36.0, "worse", "worse than last month (+260 %)"),
        (2.8, "better", "better than last month (-72 %)"),
        (10.2, "as before", "as last month"),
        (0.0, "better", "better than last month"),
    ],
)
def test_single_runs_that_lie_as_far_apart_as_unchanged_ones_are_no_trend(
    now: float, direction: str, text: str
) -> None:
    """Off by 45 % each: 95 % of pairs of an unchanged database lie within a factor of exp(1.96 √2 0.45) = 3.5."""
    found = months.trend([(at(9), 10.0), (at(10), now)], "Time", "ms", more_is_better=False, scatter=0.45)
    assert found is not None
    assert (found.direction, found.text) == (direction, text)


def test_a_month_of_nothing_is_no_reason_to_stumble() -> None:
    found = months.trend([(at(9), 0.0), (at(10), 10.0)], "Time", "ms", more_is_better=False, scatter=0.45)
    assert found is not None
    assert (found.direction, found.change, found.text) == ("worse", None, "worse than last month")


def test_months_keep_their_last_value_and_turn_with_the_year() -> None:
    found = months.trend([(at(10, 20), 2.0), (at(10, 3), 9.0)], "Time", "ms", more_is_better=False)
    assert found is not None
    assert [one.value for one in found.points] == [2.0]
    assert months.month_before("2026-01") == "2025-12"
    assert months.trend([], "Time", "ms", more_is_better=False) is None


def test_the_small_line_names_its_months_and_escapes_what_it_is_told() -> None:
    found = months.trend([(at(9), 100.0), (at(10), 50.0)], "Time <b>", "ms", more_is_better=False)
    assert found is not None
    svg = sparkline(found)
    assert "<b>" not in svg
    assert "<b>" not in sparkline_image(found)
    assert "2026-09 100, 2026-10 50" in svg
    assert svg.count("<circle") == 2
