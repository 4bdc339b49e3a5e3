"""What a run shows of the server's unrest, and what that does to the verdict from one run a side."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from ms5ops.benchmark.compare import Side, compare
from ms5ops.benchmark.comparison_summary import card_texts, headline
from ms5ops.benchmark.records import GROUPS, Result, Run
from ms5ops.benchmark.unrest import BLOCKS, LEAST_PER_BLOCK, unrest
from tests.benchmark.example_runs import START, example_run, result, samples_of

BENCHMARKS, TURNS = 10, 30


def in_turns(random: np.random.Generator, restless: float, by: float = 1.0) -> pd.DataFrame:
    """Ten benchmarks of 1 to 10 ms in thirty turns; all of them are slower or faster for an eighth of the run."""
    stretch = np.repeat(np.exp(random.normal(0, restless, BLOCKS)), -(-BENCHMARKS * TURNS // BLOCKS))
    places = np.arange(BENCHMARKS * TURNS)
    median = 1.0 + places % BENCHMARKS
    return pd.DataFrame(
        {
            "benchmark": [f"q{place % BENCHMARKS}" for place in places],
            "ordinal": places // BENCHMARKS,
            "taken_at": START + pd.to_timedelta(places, unit="ms"),
            "value": by * median * stretch[places] * random.lognormal(0, 0.1, len(places)),
        }
    )


def side(name: str, seed: int, restless: float, by: float = 1.0) -> Side:
    random = np.random.default_rng(seed)
    samples = in_turns(random, restless, by * np.exp(random.normal(0, restless)))
    results = tuple(result(str(one), part["value"].to_numpy()) for one, part in samples.groupby("benchmark"))
    return Side(name, (Run(example_run(name, seed=seed, count=2).header, results, samples),))


def seen(samples: pd.DataFrame) -> float:
    found = unrest(samples)
    assert found is not None
    return found


def test_a_quiet_run_has_none_and_a_restless_one_as_much_as_it_has() -> None:
    random = np.random.default_rng(1)
    quiet = [seen(in_turns(random, 0.0)) for _ in range(40)]
    assert np.mean([one > 0 for one in quiet]) <= 0.15
    assert max(quiet) < 0.05
    restless = [seen(in_turns(random, 0.2)) for _ in range(40)]
    assert np.sqrt(np.mean(np.square(restless))) == pytest.approx(0.2, rel=0.25)


def test_single_outliers_are_no_unrest_and_short_runs_show_none() -> None:
    samples = in_turns(np.random.default_rng(2), 0.0)
    samples.loc[samples.index % 23 == 0, "value"] *= 30
    assert seen(samples) < 0.05
    assert unrest(in_turns(np.random.default_rng(3), 0.5).iloc[: BLOCKS * LEAST_PER_BLOCK - 1]) is None
    assert unrest(samples.iloc[:0]) is None


def test_a_restless_server_gives_no_verdicts_from_single_runs() -> None:
    """Nothing changed, and whole runs are off by 20 %, as stretches of them are."""
    false, suites = 0, 12
    for seed in range(suites):
        found = compare(side("before", 2 * seed, 0.2), side("after", 2 * seed + 1, 0.2))
        false += found.suite.verdict in ("faster", "slower")
        false += any(one.verdict in ("faster", "slower") for one in found.benchmarks)
    assert false <= 3
    twice = compare(side("before", 100, 0.2), side("after", 101, 0.2, by=0.25))
    assert twice.suite.verdict == "faster"


def test_a_quiet_server_gives_them() -> None:
    found = compare(side("before", 1, 0.0), side("after", 2, 0.0, by=1.25))
    assert found.suite.verdict == "slower"
    assert {one.verdict for one in found.benchmarks} == {"slower"}


def test_a_quick_run_is_a_look_and_no_proof() -> None:
    """Nobody knows how far it is off, so that only a multiple counts, and the way to know is told."""
    before, after = side("before", 1, 0.0), side("after", 2, 0.0, by=1.25)
    found = compare(quick(before), quick(after))
    assert {one.verdict for one in (found.suite, *found.groups)} == {"inconclusive"}
    assert {one.verdict for one in found.benchmarks} == {"inconclusive"}
    assert "--repeat 3" in found.suite.reason
    assert all("--repeat 3" in one.reason for one in found.benchmarks)
    assert "look, no proof" in headline(found).text
    assert compare(quick(before), after).suite.verdict == "inconclusive"
    assert compare(quick(before), quick(side("after", 2, 0.0, by=10.0))).suite.verdict == "slower"


def test_quick_runs_of_a_restless_server_give_no_verdicts() -> None:
    """Whole runs are off by 40 %, of which runs so short show nothing."""
    random = np.random.default_rng(5)
    runs = [quick(side(f"{seed}", seed, 0.0, by=float(np.exp(random.normal(0, 0.4))))) for seed in range(13)]
    wrong = [compare(old, new).suite.verdict in ("faster", "slower") for old, new in pairwise(runs)]
    assert sum(wrong) <= 1  # without that rule it is most of the twelve
    assert len(wrong) == 12


def test_runs_enough_tell_the_unrest_however_quick_they_are() -> None:
    """Two on either side that agree within a per cent, and differ by half."""
    before, after = (
        Side(name, tuple(quick(side(f"{name} {seed}", seed, 0.01, by=by)).runs[0] for seed in seeds))
        for name, by, seeds in (("before", 1.0, (1, 2)), ("after", 1.5, (3, 4)))
    )
    found = compare(before, after)
    assert found.suite.verdict == "slower"
    assert "--repeat" not in found.suite.reason


@pytest.mark.parametrize(("by", "verdict"), [(1.5, "inconclusive"), (10.0, "slower")])
def test_what_has_a_turn_of_its_own_shows_no_unrest(by: float, verdict: str) -> None:
    """Six seconds of forty clients are one stretch, in which thousands of samples share whatever befell it."""
    sides = []
    for name, times in (("before", 1.0), ("after", by)):
        values = times * np.random.default_rng(len(name)).lognormal(0, 0.2, 2_000)
        one = side(name, 3, 0.0).runs[0]
        crowd = result("concurrency_50", values, None, 100.0, kind="concurrency")
        samples = pd.concat([one.samples, samples_of("concurrency_50", values)], ignore_index=True)
        sides.append(Side(name, (Run(replace(one.header, run_id=name), (*one.results, crowd), samples),)))
    old, new = sides
    found = next(one for one in compare(old, new).benchmarks if one.kind == "concurrency")
    assert found.verdict == verdict
    assert "measured in one stretch" in found.reason


def quick(one: Side) -> Side:
    return Side(one.name, tuple(replace(run, header=replace(run.header, is_quick=True)) for run in one.runs))


@pytest.mark.parametrize(("groups", "verdict"), [(1, "slower"), (6, "inconclusive")])
def test_a_group_that_tells_only_as_a_whole(groups: int, verdict: str) -> None:
    """Sixteen benchmarks, a quarter slower in noise of 30 %: all are, but none for certain."""
    sides = []
    for name, by in (("before", 1.0), ("after", 1.25)):
        random = np.random.default_rng(50 + len(name))
        parts: list[tuple[Result, pd.DataFrame]] = []
        for number in range(16 * groups):
            values = random.lognormal(0, 0.3, 8) * (by if number < 16 else 1.0)
            one = result(f"q{number}", values, GROUPS[number // 16])
            parts.append((one, samples_of(one.benchmark, values)))
        samples = pd.concat([frame for _, frame in parts], ignore_index=True)
        header = example_run(name, seed=len(name), count=2).header
        sides.append(Side(name, (Run(header, tuple(one for one, _ in parts), samples),)))
    before, after = sides
    found = compare(before, after).groups[0]
    assert (found.group, found.verdict, found.only_together) == ("recent", verdict, verdict == "slower")
    assert ("only together do they tell" in found.reason) == found.only_together
    assert card_texts(found)[1] == ("slower together" if found.only_together else "slower: not sure")
