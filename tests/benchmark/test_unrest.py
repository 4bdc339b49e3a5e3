"""What a run shows of the server's unrest, and what that does to the verdict from one run a side."""

import numpy as np
import pandas as pd
import pytest

from ms5ops.benchmark.compare import Side, compare
from ms5ops.benchmark.records import Run
from ms5ops.benchmark.unrest import BLOCKS, LEAST_PER_BLOCK, unrest
from tests.benchmark.example_runs import START, example_run, result

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


def test_a_quiet_run_has_none_and_a_restless_one_as_much_as_it_has() -> None:
    random = np.random.default_rng(1)
    quiet = [unrest(in_turns(random, 0.0)) for _ in range(40)]
    assert np.mean([one > 0 for one in quiet]) <= 0.15
    assert max(quiet) < 0.05
    restless = [unrest(in_turns(random, 0.2)) for _ in range(40)]
    assert np.sqrt(np.mean(np.square(restless))) == pytest.approx(0.2, rel=0.25)


def test_single_outliers_and_short_runs_are_no_unrest() -> None:
    samples = in_turns(np.random.default_rng(2), 0.0)
    samples.loc[samples.index % 23 == 0, "value"] *= 30
    assert unrest(samples) < 0.05
    assert unrest(in_turns(np.random.default_rng(3), 0.5).iloc[: BLOCKS * LEAST_PER_BLOCK - 1]) == 0.0
    assert unrest(samples.iloc[:0]) == 0.0


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
