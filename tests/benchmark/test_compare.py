"""Verdicts, totals, promises and circumstances of two sides."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ms5ops.benchmark.compare import Comparison, Side, compare
from ms5ops.benchmark.expected import Fulfilment, Outside
from ms5ops.benchmark.records import Group, Result, Run, Surroundings
from ms5ops.benchmark.statistics import Estimate, Values
from ms5ops.benchmark.verdicts import BenchmarkComparison, Options, Verdict, decide
from ms5ops.errors import BenchmarkError
from tests.benchmark.example_runs import START, SURROUNDINGS, example_run, result, samples_of

DAY = timedelta(days=1)
Measured = tuple[Result, Values]


def times(median: float, count: int = 25, seed: int = 1, noise: float = 0.1) -> Values:
    """Lognormal values whose median is exactly ``median``."""
    values = np.random.default_rng(seed).lognormal(0, noise, count)
    return values / float(np.median(values)) * median


def measured(name: str, values: Values, group: Group | None = "recent", **changes: Any) -> Measured:
    return result(name, values, group, 100.0, **changes), values


def run_of(label: str, *held: Measured, day: int = 0, **changes: Any) -> Run:
    """A run of these benchmarks, ``day`` days after the first one."""
    frame = example_run(label, started_at=START + day * DAY)
    empty = frame.samples.iloc[:0]
    parts = [samples_of(one.benchmark, values) for one, values in held if len(values)]
    samples = pd.concat(parts, ignore_index=True) if parts else empty
    run = Run(frame.header, tuple(one for one, _ in held), samples)
    return replace(run, header=replace(run.header, **changes))


def compared(before: Measured | None, after: Measured | None, options: Options | None = None) -> BenchmarkComparison:
    """One benchmark on two sides of one run each, in which much else was measured that is not comparable."""
    sides = [
        Side(name, (run_of(name, *([held] if held else []), others(name), day=day),))
        for day, (name, held) in enumerate((("before", before), ("after", after)))
    ]
    (found,) = (one for one in compare(sides[0], sides[1], options).benchmarks if one.benchmark != "others")
    return found


def others(side: str) -> Measured:
    """So many samples that they show the run to have been quiet."""
    return measured("others", times(10, 240, len(side)), text_hash=side)


def gone(outcome: str, message: str | None = None) -> Measured:
    one, _ = measured("q", times(50))
    nothing: dict[str, Any] = dict.fromkeys(("mean", "median", "minimum", "maximum", "p95", "p99", "rows"))
    return replace(one, outcome=outcome, message=message, samples=0, **nothing), np.empty(0)  # type: ignore[arg-type]


# Verdicts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("median", "count", "noise", "verdict"),
    [
        (50.0, 25, 0.1, "faster"),
        (200.0, 25, 0.1, "slower"),
        (100.5, 60, 0.02, "equivalent"),
        (104.5, 60, 0.02, "inconclusive"),  # a change, and neither within the margin for sure nor one that matters
        (104.0, 20, 0.3, "inconclusive"),
        (50.0, 4, 0.1, "inconclusive"),
    ],
)
def test_the_verdict_of_a_query(median: float, count: int, noise: float, verdict: Verdict) -> None:
    found = compared(measured("q", times(100.0, count, 1, noise)), measured("q", times(median, count, 2, noise)))
    assert found.verdict == verdict, found.reason
    assert found.before is not None
    assert found.after is not None
    assert (found.before.samples, found.after.samples) == (count, count)
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx(median / 100, rel=0.1)
    assert found.reason.endswith(".")


def test_a_throughput_turns_the_direction() -> None:
    before = measured("ingest", times(10_000), None, unit="rows/s", kind="ingest")
    after = measured("ingest", times(1_000), None, unit="rows/s", kind="ingest")
    found = compared(before, after)
    assert found.verdict == "slower"
    assert found.ratio is not None
    assert found.speedup == found.ratio
    assert found.speedup.value == pytest.approx(0.1, rel=0.1)
    assert found.meets_target is True  # its target is a least one
    assert compared(after, before).verdict == "faster"
    assert found.after is not None
    assert found.after.p95 == pytest.approx(np.percentile(after[1], 5))  # what 95 % of the samples reach at least


def test_equivalence_is_never_claimed_with_little_data() -> None:
    """However alike they look: five samples of 10 % scatter cannot tell 5 %."""
    claims = [
        compared(measured("q", times(100, 5, seed)), measured("q", times(100, 5, seed + 1000))).verdict
        for seed in range(10)
    ]
    assert "equivalent" not in claims
    identical = compared(measured("q", times(100, 4)), measured("q", times(100, 4)))
    assert identical.verdict == "inconclusive"
    assert "Too few samples to tell: 4 and 4" in identical.reason


@pytest.mark.parametrize(
    ("before", "after", "reason", "is_broken"),
    [
        (measured("q", times(50)), None, "It was not part of the runs after.", False),
        (None, measured("q", times(50)), "It was not part of the runs before.", False),
        (measured("q", times(50)), gone("failed", "no such view."), "After, it failed: no such view.", True),
        (measured("q", times(50)), gone("timed out"), "After, it hit its time limit.", True),
        (measured("q", times(50)), gone("empty"), "After, it returned no rows.", True),
        (measured("q", times(50)), gone("stopped"), "After, the run was stopped before it was done.", False),
        (gone("timed out"), measured("q", times(50)), "Before, it hit its time limit.", False),
        (gone("failed"), gone("failed"), "Before, it failed.", False),
        (
            measured("q", times(50)),
            measured("q", times(50), text_hash="other"),
            "The question itself differs: the query's text was changed.",
            False,
        ),
        (
            measured("q", times(50)),
            measured("q", times(50), unit="queries/s"),
            "The sides measured different things under this name, in different units or ways.",
            False,
        ),
        (
            measured("q", times(50), None, unit="s", kind="job latency"),
            measured("q", times(50) - times(50).min(), None, unit="s", kind="job latency"),
            "There are values of 0 or below, which have no ratio.",
            False,
        ),
    ],
)
def test_what_cannot_be_compared_says_why(
    before: Measured | None, after: Measured | None, reason: str, is_broken: bool
) -> None:
    found = compared(before, after)
    assert (found.verdict, found.reason, found.is_broken) == ("not comparable", reason, is_broken)
    assert (found.ratio, found.speedup, found.p, found.p_corrected) == (None, None, None, None)
    assert found.is_regression is is_broken


def test_summaries_are_compared_as_such() -> None:
    def summary(median: float) -> Measured:
        one, _ = measured("q", times(median), text_hash=None)
        return replace(one, samples=0), np.empty(0)

    for after in (summary(50.0), measured("q", times(50.0))):
        found = compared(summary(100.0), after)
        assert (found.verdict, found.is_summary, found.p) == ("inconclusive", True, None)
        assert found.ratio is not None
        assert found.ratio.value == pytest.approx(0.5)
        assert (found.ratio.low, found.ratio.high) == (None, None)


def test_several_tests_are_corrected_for_their_number() -> None:
    sides = [
        Side(
            name,
            (
                run_of(
                    name, *(measured(f"q{place}", times(100 * by, 12, 2 * place + day)) for place in range(20)), day=day
                ),
            ),
        )
        for day, (name, by) in enumerate((("before", 1.0), ("after", 1.1)))
    ]
    found = compare(sides[0], sides[1]).benchmarks
    assert all(one.p is not None and one.p_corrected is not None and one.p_corrected >= one.p for one in found)
    assert sum(one.p is not None and one.p <= 0.05 for one in found) > sum(one.verdict == "slower" for one in found)


def test_runs_of_a_side_without_an_answer_are_told() -> None:
    before = tuple(run_of("old", measured("q", times(50, seed=day)), day=day) for day in range(3))
    after = (
        run_of("new", gone("timed out"), day=5),
        *(run_of("new", measured("q", times(50, seed=day)), day=day) for day in (6, 7)),
    )
    (found,) = compare(Side("before", before), Side("after", after)).benchmarks
    assert found.reason.endswith("In 1 of 3 runs after, it hit its time limit.")
    assert found.after is not None
    assert (found.after.runs, found.basis) == (2, "runs")


def test_another_subject_and_another_size_of_the_answer_are_told() -> None:
    old = measured("q", times(50), rows=100, details={"metric": "temperature"})
    new = measured("q", times(90), rows=150, details={"metric": "pressure"})
    assert compared(old, new).reason.endswith(
        "It was asked about another metric: temperature before, pressure after."
        " The answer had 100 rows before and 150 after."
    )
    assert "rows" not in compared(old, measured("q", times(90), rows=110, details={"metric": "temperature"})).reason


def test_a_test_that_only_fails_the_correction_says_so() -> None:
    alone = Estimate(1.3, 1.05, 1.6)
    assert "among so many tests" in decide(alone, 0.2, "samples", Options())[1]
    assert "better as well as worse" in decide(Estimate(1.3, 0.95, 1.7), 0.2, "samples", Options())[1]


def test_the_order_of_what_decides() -> None:
    wide, narrow = Estimate(1.2, 0.9, 1.5), Estimate(1.01, 0.99, 1.03)
    assert decide(narrow, 0.001, "samples", Options())[0] == "equivalent"
    assert decide(wide, 0.2, "samples", Options())[0] == "inconclusive"
    assert decide(Estimate(1.2, 1.1, 1.3), 0.001, "samples", Options())[0] == "faster"
    assert decide(Estimate(0.8, 0.7, 0.9), 0.001, "samples", Options())[0] == "slower"
    assert decide(Estimate(1.2, 1.1, 1.3), 0.001, "samples", Options(smallest=0.25))[0] == "inconclusive"
    assert decide(Estimate(1.2, 1.1, 1.3), 0.001, "samples", Options(margin=0.4))[0] == "equivalent"
    assert decide(Estimate(0.8, 0.7, 0.9), 0.02, "samples", Options(confidence=0.99))[0] == "inconclusive"
    for wrong in ({"margin": 0.0}, {"confidence": 1.0}, {"smallest": -0.1}):
        with pytest.raises(BenchmarkError, match="is 5 %"):
            Options(**wrong)


MIRRORED: dict[Verdict, Verdict] = {"faster": "slower", "slower": "faster"}


@settings(max_examples=10, deadline=None)
@given(st.floats(0.3, 3.0), st.integers(5, 30), st.integers(0, 10_000), st.sampled_from([0.02, 0.1, 0.4]))
def test_swapped_sides_mirror_the_verdict(by: float, count: int, seed: int, noise: float) -> None:
    one, other = measured("q", times(100, count, seed, noise)), measured("q", times(100 * by, count, seed + 1, noise))
    there, back = compared(one, other), compared(other, one)
    assert back.verdict == MIRRORED.get(there.verdict, there.verdict)
    assert there.ratio is not None
    assert back.speedup is not None
    assert back.speedup.value == pytest.approx(there.ratio.value)


# Sides ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def better() -> Comparison:
    """Three runs twice and a half as fast as three others."""
    old = tuple(example_run("old", seed=seed, started_at=START + seed * DAY) for seed in range(3))
    new = tuple(example_run("new", seed=seed, started_at=START + seed * DAY, speed=2.5) for seed in range(10, 13))
    return compare(Side("October", old), Side("November", new), outside=Outside(10e9, 1.5e9, None, 0.9))


def test_a_faster_suite(better: Comparison) -> None:
    assert better.suite.verdict == "faster"
    assert better.suite.speedup is not None
    assert better.suite.speedup.low is not None
    assert better.suite.speedup.high is not None
    assert better.suite.speedup.low < 2.5 < better.suite.speedup.high
    assert len(better.suite.benchmarks) == 8
    assert better.suite.left_out == ("energy_day_aggregate",)
    assert [total.group for total in better.groups] == [
        "recent", "short-term", "historical", "long-term", "aggregate", "dashboard", "report",
    ]  # fmt: skip
    assert {one.basis for one in better.benchmarks if one.p is not None} == {"runs"}
    ingest = next(one for one in better.benchmarks if one.benchmark == "ingest_1000")
    assert ingest.verdict in ("equivalent", "inconclusive")
    assert better.regressions == ()
    assert (better.worst, better.fails("slower"), better.fails("not comparable")) == ("not comparable", False, True)


def test_one_run_a_side_tells_no_small_change_of_the_whole() -> None:
    """Twenty benchmarks a tenth slower in one run may be one crowded minute; half as fast is not."""

    def one_run(name: str, median: float, day: int) -> Side:
        return Side(
            name,
            (run_of(name, *(measured(f"q{one}", times(median, 25, 50 * day + one)) for one in range(20)), day=day),),
        )

    before = one_run("before", 100, 0)
    tenth, half = (compare(before, one_run("after", median, 1)) for median in (110, 200))
    assert (tenth.suite.verdict, tenth.suite.basis) == ("inconclusive", "samples")
    assert "two runs on either side" in tenth.suite.reason
    assert tenth.suite.speedup is not None
    assert tenth.suite.speedup.value == pytest.approx(1 / 1.1, rel=0.02)
    assert half.suite.verdict == "slower"


def test_promises_stand_beside_the_measured(better: Comparison) -> None:
    found: dict[str, Fulfilment] = {one.promise.key: one for one in better.promises}
    assert {key: one.met for key, one in found.items()} == {
        "recent": "partly met",  # 66 ms to 26 ms: within 50 ms, but not ten times
        "history": "not met",
        "dashboard": "not met",
        "growth": "met",
        "compression": "met",
    }
    recent = found["recent"]
    assert recent.before is not None
    assert recent.before == pytest.approx(np.sqrt(240 * 18), rel=0.1)
    assert recent.after == pytest.approx(recent.before / 2.5, rel=0.1)
    assert recent.factor is not None
    assert recent.factor.low is not None
    assert recent.benchmarks == ("recent_metric", "latest_100")
    factors = [one.factor.value for one in (found["growth"], found["compression"]) if one.factor]
    assert factors == pytest.approx([10 / 1.5, 10])


def test_promises_that_were_not_measured_say_so() -> None:
    sides = [Side(name, (run_of(name, measured("q", times(9), "report"), day=day),)) for day, name in enumerate("ab")]
    assert {one.met for one in compare(sides[0], sides[1]).promises} == {"not measured"}
    quick = [Side(name, (run_of(name, measured("q", times(9, seed=day)), day=day),)) for day, name in enumerate("ab")]
    recent = compare(quick[0], quick[1]).promises[0]
    assert (recent.met, recent.reason) == (
        "partly met",
        "The promised value was reached, the promised factor not: it was as good before already.",
    )


def test_what_got_worse_is_listed_the_broken_first() -> None:
    before = run_of("old", *(measured(name, times(50)) for name in ("kept", "slow", "slower", "q")))
    after = run_of(
        "new", measured("kept", times(50.1, 60, 3, 0.01)), measured("slow", times(70)), measured("slower", times(90)),
        gone("timed out"), day=1,
    )  # fmt: skip
    found = compare(Side("before", (before,)), Side("after", (after,)))
    assert [one.benchmark for one in found.regressions] == ["q", "slower", "slow"]
    assert (found.worst, found.fails("slower")) == ("slower", True)
    only_broken = compare(
        Side("before", (run_of("old", measured("q", times(50))),)),
        Side("after", (run_of("new", gone("failed"), day=1),)),
    )
    assert only_broken.fails("slower")
    assert only_broken.suite.verdict == "not comparable"


def test_a_run_that_was_stopped_takes_nothing_out_of_the_mean() -> None:
    whole = [
        run_of("w", measured("a", times(50, seed=day)), measured("b", times(80, seed=day)), day=day) for day in range(3)
    ]
    stopped = run_of("s", measured("a", times(50)), gone("stopped"), day=5, is_partial=True)
    found = compare(Side("before", (whole[0], stopped)), Side("after", tuple(whole[1:])))
    assert found.suite.benchmarks == ("a", "b")


def test_as_plain_is_json_with_a_verdict_per_benchmark(better: Comparison) -> None:
    read = json.loads(json.dumps(better.as_plain(), allow_nan=False))
    assert {one["benchmark"]: one["verdict"] for one in read["benchmarks"]} == {
        one.benchmark: one.verdict for one in better.benchmarks
    }
    assert read["suite"]["verdict"] == "faster"
    assert len(read["before"]["runs"]) == 3
    few = [Side(name, (run_of(name, measured("q", times(9, 5)), day=day),)) for day, name in enumerate("ab")]
    unbounded = compare(few[0], few[1], Options(confidence=0.999)).as_plain()["benchmarks"][0]["ratio"]
    assert (unbounded["low"], unbounded["high"]) == (0.0, None)


def test_sides_that_say_nothing_are_refused() -> None:
    run, simulated = example_run("a"), example_run("b", seed=2, origin="simulated")
    with pytest.raises(BenchmarkError, match="both hold the run"):
        compare(Side("a", (run,)), Side("b", (run,)))
    with pytest.raises(BenchmarkError, match="no run in a"):
        compare(Side("a", ()), Side("b", (run,)))
    with pytest.raises(BenchmarkError, match="measured and simulated"):
        compare(Side("a", (run,)), Side("b", (simulated,)))


# Circumstances ----------------------------------------------------------------------------------------------


def told(change: Callable[[Surroundings], Surroundings], **changes: Any) -> dict[str, tuple[str, str, str]]:
    """What differs when the surroundings after are changed: before, after and weight, by subject."""
    before = example_run("a")
    after = example_run("b", started_at=START + DAY, surroundings=change(SURROUNDINGS), **changes)
    found = compare(Side("a", (before,)), Side("b", (after,))).differences
    return {one.subject: (one.before, one.after, one.weight) for one in found}


def test_equal_circumstances_are_not_worth_a_word() -> None:
    assert told(lambda it: replace(it, rows=21_500_000, compressed_share=0.01)) == {}


def test_another_machine_spoils_a_comparison() -> None:
    found = told(lambda it: replace(it, hardware={"client processor": "Test CPU", "client cores": "8"}))
    assert found == {"Client cores": ("2", "8", "spoils")}
    assert told(lambda it: replace(it, protocol="extended")) == {
        "Protocol": (SURROUNDINGS.protocol, "extended", "spoils")
    }
    assert told(lambda it: it, source="other")["Database"][2] == "spoils"
    half = told(lambda it: replace(it, hardware={"client processor": "Test CPU"}))
    assert half == {"Client cores": ("2", "not told", "noted")}


def test_upgrades_settings_and_volume_are_other_causes() -> None:
    found = told(
        lambda it: replace(
            it,
            timescaledb_version="2.29.2",
            settings={**it.settings, "jit": "off"},
            rows=42_000_000,
            compressed_share=0.5,
        )
    )
    assert found == {
        "TimescaleDB": ("2.28.3", "2.29.2", "another cause"),
        "Setting jit": ("on", "off", "another cause"),
        "Rows": ("21,000,000", "42,000,000", "another cause"),
        "Compressed share": ("0 %", "50 %", "another cause"),
    }


def test_what_a_deployment_changes_is_expected() -> None:
    def deployed(it: Surroundings) -> Surroundings:
        settings_after = {**it.settings, "jit": "off", "work_mem": "64MB"}
        return replace(
            it, deployment_id="d" * 32, policy_hash="p" * 64, settings=settings_after, compressed_share=0.9,
            database_bytes=900_000_000,
        )  # fmt: skip

    assert told(deployed) == {
        "Setting work_mem": ("4MB", "64MB", "another cause"),
        "Policy in force (fingerprint)": ("none", "p" * 12, "expected"),
        "Deployment in force": ("none", "d" * 12, "expected"),
        "Setting jit": ("on", "off", "expected"),
        "Size of the database": ("4.2 GB", "900 MB", "expected"),
        "Compressed share": ("0 %", "90 %", "expected"),
    }


def test_a_larger_database_of_as_many_rows_is_no_other_cause_of_a_deployment() -> None:
    """Aggregates, indexes, and tables that are kept for the way back take room; queries have no more to read."""
    after = replace(SURROUNDINGS, database_bytes=7_000_000_000, deployment_id="d1", policy_hash="p1")
    more = replace(after, rows=42_000_000)
    old = example_run("before")
    for around, weight in ((after, "expected"), (more, "another cause")):
        new = example_run("after", seed=2, surroundings=around)
        found = compare(Side("before", (old,)), Side("after", (new,))).differences
        (size,) = (one for one in found if one.subject == "Size of the database")
        assert size.weight == weight


def test_other_data_asked_for_and_untold_circumstances_are_named() -> None:
    assert told(lambda it: it, anchor=START - 29 * DAY) == {
        "Age of the data asked for": ("up to now", "up to 30 days before the run", "another cause")
    }
    before, imported = example_run("a"), example_run("b", surroundings=None, started_at=START + DAY)
    (found,) = compare(Side("a", (before,)), Side("b", (imported,))).differences
    assert (found.subject, found.after, found.weight) == ("Circumstances", "not told", "another cause")


def test_runs_of_one_side_that_differ_are_named() -> None:
    upgraded = replace(SURROUNDINGS, postgres_version="15.18")
    mixed = (example_run("a"), example_run("b", started_at=START + DAY, surroundings=upgraded))
    (found,) = compare(
        Side("October", mixed), Side("November", (example_run("c", started_at=START + 2 * DAY),))
    ).differences
    assert (found.subject, found.before, found.after) == ("PostgreSQL", "15.17 and 15.18", "15.17")
    assert "differ among themselves" in found.remark
