"""What words mean: ids, labels, months, deployments."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ms5ops.benchmark.records import RunHeader
from ms5ops.benchmark.selection import NEAREST_RUNS, DeploymentSpan, select
from ms5ops.errors import BenchmarkError

START = datetime(2026, 10, 30, 2, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def run(day: float, run_id: str | None = None, **changes: Any) -> RunHeader:
    """A run of four minutes, ``day`` days after the first."""
    started = START + day * DAY
    values: dict[str, Any] = {
        "run_id": run_id or f"{round(day * 10):08x}-0000-4000-8000-000000000000",
        "source": "db:5432/f/s", "environment": "plant", "origin": "measured", "label": None, "actor": "anna",
        "started_at": started, "finished_at": started + timedelta(minutes=4), "anchor": started, "suite_hash": "s",
        "seed": 1, "is_quick": False, "is_partial": False, "is_summary": False, "note": None, "surroundings": None,
    }  # fmt: skip
    return RunHeader(**{**values, **changes})


def deployment(number: int, day: float, hours: float | None = 1.0, **changes: Any) -> DeploymentSpan:
    started = START + day * DAY
    finished = None if hours is None else started + hours * HOUR
    return DeploymentSpan(**{
        "id": f"{number}dep-0000", "number": number, "started_at": started, "finished_at": finished, **changes
    })  # fmt: skip


RUNS = [
    run(0, "aaaa1111-0000-4000-8000-000000000000", label="before index"),
    run(1, "aaaa2222-0000-4000-8000-000000000000", label="before index"),
    run(2, "bbbb0000-0000-4000-8000-000000000000", label="after index"),
    run(3, "cccc0000-0000-4000-8000-000000000000"),
]


def days(
    word: str, runs: list[RunHeader] | None = None, deployments: list[DeploymentSpan] | None = None
) -> list[float]:
    found = select(word, (runs or RUNS)[::-1], deployments or [])
    return [(one.started_at - START) / DAY for one in found.headers]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("latest", [3]),
        ("previous", [2]),
        ("before index", [0, 1]),
        (" after index ", [2]),
        ("aaaa1", [0]),
        ("CCCC0000-0000", [3]),
        ("2026-10", [0, 1]),
        ("2026-11", [2, 3]),
    ],
)
def test_words(word: str, expected: list[float]) -> None:
    assert days(word) == expected


def test_a_quick_run_counts_only_where_there_is_no_full_one() -> None:
    runs = [run(0), run(0.5, is_quick=True), run(4, is_quick=True), run(5, is_quick=True)]
    assert [days(word, runs, [deployment(1, 2)]) for word in ("before:1", "2026-10")] == [[0], [0]]
    assert [days(word, runs, [deployment(1, 2)]) for word in ("after:1", "2026-11")] == [[4, 5], [4, 5]]
    assert days("latest", runs) == [5]


def test_what_people_call_them() -> None:
    names = [select(word, RUNS, [deployment(3, 1.5)]).name for word in ("bbbb0", "cccc0", "2026-10", "after:3")]
    assert names == [
        "after index of 2026-11-01 02:00 UTC", "run of 2026-11-02 02:00 UTC", "2026-10", "after deployment 3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("aaaa", "2 runs have an id that begins with aaaa: aaaa1111-"),
        ("befor index", "did you mean before index?"),
        ("lastest", "did you mean latest?"),
        ("aaa", "No benchmark run is called aaa"),
        ("", "No benchmark run is called"),
        ("2026-09", "No benchmark run started in 2026-09. There are runs of 2026-10, 2026-11"),
        ("before:3", "No deployment is known"),
    ],
)
def test_words_that_mean_nothing_or_too_much(word: str, told: str) -> None:
    with pytest.raises(BenchmarkError) as error:
        select(word, RUNS)
    assert told in str(error.value)
    assert error.value.next_step


def test_an_empty_history_says_how_to_fill_it() -> None:
    with pytest.raises(BenchmarkError, match="benchmark run"):
        select("latest", [])


def test_before_and_after_a_deployment() -> None:
    runs = [run(day) for day in range(10)]
    first, second = deployment(1, 3.5), deployment(2, 6.5)
    both = [first, second]
    assert days("before:1", runs, both) == [0, 1, 2, 3]
    assert days("after:1", runs, both) == [4, 5, 6]
    assert days("before:2", runs, both) == [4, 5, 6]
    assert days("after:2", runs, both) == [7, 8, 9]
    assert days("after:latest", runs, both) == [7, 8, 9]
    assert days("before:2dep", runs, both) == [4, 5, 6]


def test_the_nearest_runs_stand_for_a_deployments_side() -> None:
    runs = [run(day) for day in range(20)]
    assert days("before:1", runs, [deployment(1, 9.5)]) == [5, 6, 7, 8, 9]
    assert days("after:1", runs, [deployment(1, 9.5)]) == [10, 11, 12, 13, 14]
    assert len(days("before:1", runs, [deployment(1, 9.5)])) == NEAREST_RUNS


def test_a_run_during_a_deployment_is_on_no_side() -> None:
    runs = [run(0), run(1.01), run(2)]
    around = [deployment(1, 1, hours=2)]
    assert (days("before:1", runs, around), days("after:1", runs, around)) == ([0], [2])
    late = [run(0), run(0.999), run(2)]  # ends after the deployment began
    assert days("before:1", late, around) == [0]


def test_a_rollback_ends_what_is_after() -> None:
    undone = deployment(1, 1, undone_at=START + 3.5 * DAY)
    assert days("after:1", [run(day) for day in range(6)], [undone]) == [2, 3]


@pytest.mark.parametrize(
    ("word", "deployments", "told"),
    [
        ("before:7", [deployment(1, 1.5)], "There is no deployment 7. Give one of 1, or latest."),
        ("after:1", [deployment(1, 1.5, hours=None)], "Deployment 1 is not done"),
        ("before:1", [deployment(1, -5)], "No benchmark run was taken before deployment 1"),
        ("before:2", [deployment(1, 3.4), deployment(2, 3.6)], "without another deployment in between"),
    ],
)
def test_deployments_without_a_side(word: str, deployments: list[DeploymentSpan], told: str) -> None:
    with pytest.raises(BenchmarkError) as error:
        select(word, RUNS, deployments)
    assert told in str(error.value)


def test_a_replayed_run_never_stands_beside_others() -> None:
    runs = [run(0, label="x"), run(0.5, label="x", origin="replayed"), run(0.7, label="y", origin="replayed")]
    assert days("x", runs) == [0]
    assert days("2026-10", runs) == [0]
    assert days("latest", runs) == [0]
    assert days("y", runs) == [0.7]
    assert days("after:1", runs, [deployment(1, 0.2)]) == [0.5, 0.7]
    mixed = [*runs, run(0.9)]
    assert days("after:1", mixed, [deployment(1, 0.2)]) == [0.9]


def test_summaries_give_way_to_runs_with_samples() -> None:
    runs = [run(0, is_summary=True), run(0.5)]
    assert days("2026-10", runs) == [0.5]
    assert days("2026-10", runs[:1]) == [0]


def test_runs_of_several_databases_are_no_side() -> None:
    runs = [run(0), run(0.5, source="other", environment="lab")]
    with pytest.raises(BenchmarkError, match="2 runs of different databases or origins: lab, plant"):
        select("2026-10", runs)
    with pytest.raises(BenchmarkError, match="no run before the latest one"):
        select("previous", runs)
    around = [deployment(1, 0.7, source="db:5432/f/s")]
    assert days("before:1", runs, around) == [0]
