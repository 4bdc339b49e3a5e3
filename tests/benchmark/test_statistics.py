"""Ratios, tests and intervals, by simulation with fixed seeds and against scipy's reference."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ms5ops.benchmark import statistics
from ms5ops.benchmark.sampling import figures
from ms5ops.benchmark.statistics import (
    Values,
    compare_levels,
    compare_samples,
    geometric_mean,
    holm,
    level,
    median_interval,
)

NOISE = 0.15
"""Standard deviation of the logarithms of a query's times: repeated times of one query scatter by 5 to 20 %."""

times = st.lists(st.floats(0.1, 1e4, allow_subnormal=False), min_size=5, max_size=40)


def query_times(random: np.random.Generator, count: int, median_ms: float = 80.0, noise: float = NOISE) -> Values:
    return median_ms * random.lognormal(0.0, noise, count)


def runs(random: np.random.Generator, count: int, between: float, median_ms: float = 80.0) -> list[Values]:
    """Runs of 20 samples; a run as a whole is off by a factor of its own (standard deviation ``between``)."""
    return [query_times(random, 20, median_ms * np.exp(random.normal(0, between))) for _ in range(count)]


def test_summary_is_numpys_and_postgresqls_definition() -> None:
    summary = figures(np.array([10.0, 20.0, 30.0, 40.0]))
    # percentile_cont(0.95) of 10, 20, 30, 40 is 30 + 0.85 * 10.
    assert (summary.samples, summary.mean, summary.median, summary.minimum, summary.maximum) == (4, 25, 25, 10, 40)
    assert summary.p95 == pytest.approx(38.5)
    assert summary.p99 == pytest.approx(39.7)


def test_p_is_scipys_and_close_to_the_exact_one() -> None:
    random = np.random.default_rng(1)
    for count in (5, 8, 20):
        for shift in (1.0, 1.1, 1.3):
            before, after = query_times(random, count), query_times(random, count, 80 * shift)
            p = compare_samples([before], [after]).p
            assert p == pytest.approx(stats.mannwhitneyu(before, after, method="asymptotic").pvalue)
            assert p == pytest.approx(stats.mannwhitneyu(before, after, method="exact").pvalue, abs=0.02)


def test_ratio_is_the_median_of_all_pairwise_ratios() -> None:
    before, after = np.array([1.0, 2.0, 4.0, 8.0, 16.0]), np.array([3.0, 6.0, 12.0, 24.0, 48.0])
    assert compare_samples([before], [after]).ratio.value == pytest.approx(3.0)


def test_interval_is_what_the_test_does_not_reject() -> None:
    random = np.random.default_rng(2)
    for count in (6, 15, 40):
        before, after = query_times(random, count), query_times(random, count, 90)
        ratio = compare_samples([before], [after]).ratio
        assert ratio.low is not None
        assert ratio.high is not None
        for end, outside in ((ratio.low, -1), (ratio.high, +1)):
            rejected = stats.mannwhitneyu(after / (end * (1 + outside * 1e-9)), before, method="asymptotic").pvalue
            kept = stats.mannwhitneyu(after / (end * (1 - outside * 1e-9)), before, method="asymptotic").pvalue
            assert rejected <= 0.05 < kept


def test_too_few_samples_give_an_interval_without_ends() -> None:
    ratio = compare_samples([np.array([1.0, 2.0])], [np.array([3.0, 4.0])]).ratio
    assert (ratio.low, ratio.high) == (0.0, np.inf)


def test_many_samples_are_compared_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    before, after = query_times(random, 300), query_times(random, 200, 88)
    by_listing = compare_samples([before], [after]).ratio
    monkeypatch.setattr(statistics, "_PAIRS_AT_ONCE", 0)
    by_halving = compare_samples([before], [after]).ratio
    assert by_halving.value == pytest.approx(by_listing.value, rel=1e-12)
    assert (by_halving.low, by_halving.high) == pytest.approx((by_listing.low, by_listing.high), rel=1e-12)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_values_that_have_no_ratio_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        compare_samples([np.array([1.0, bad])], [np.array([1.0, 2.0])])


def test_false_alarms_of_a_suite_stay_at_the_stated_rate() -> None:
    """Twenty benchmarks, nothing changed: a suite with any false alarm is as rare as 5 %."""
    random, suites = np.random.default_rng(4), 100
    alarms = 0
    for _ in range(suites):
        p_values = [compare_samples([query_times(random, 25)], [query_times(random, 25)]).p for _ in range(20)]
        alarms += min(holm(p_values)) <= 0.05
    # Of 100 suites at 5 %, more than 11 are seen with a probability of 0.4 %.
    assert alarms <= 11


@pytest.mark.parametrize("count", [20, 30])
def test_a_change_of_a_tenth_is_seen(count: int) -> None:
    """One test at 5 %: 10 % slower with times that scatter by 10 %; power over 80 % with 20 samples a side."""
    random, trials = np.random.default_rng(5), 200
    seen = sum(
        compare_samples([query_times(random, count, noise=0.1)], [query_times(random, count, 88.0, 0.1)]).p <= 0.05
        for _ in range(trials)
    )
    assert seen / trials >= {20: 0.78, 30: 0.92}[count]


@pytest.mark.parametrize(
    ("before", "after", "between", "basis"),
    [(1, 1, 0.0, "samples"), (2, 2, 0.05, "runs"), (3, 4, 0.1, "runs"), (1, 5, 0.2, "runs"), (4, 4, 0.0, "runs")],
)
def test_intervals_hold_the_true_ratio_as_often_as_stated(before: int, after: int, between: float, basis: str) -> None:
    random, trials = np.random.default_rng(6), 200
    held = 0
    for _ in range(trials):
        found = compare_samples(runs(random, before, between), runs(random, after, between, 80 * 1.3))
        assert found.basis == basis
        low, high = found.ratio.low, found.ratio.high
        held += low is not None and high is not None and low <= 1.3 <= high
    # 95 % of 200, less three standard deviations.
    assert held / trials >= 0.904


def test_runs_of_a_month_are_no_independent_samples() -> None:
    """All samples taken for independent, runs that differ by 10 % alone would be changes nearly always."""
    random, trials = np.random.default_rng(7), 200
    by_samples = by_runs = 0
    for _ in range(trials):
        found = compare_samples(runs(random, 3, 0.1), runs(random, 3, 0.1))
        by_samples += found.p_samples <= 0.05
        by_runs += found.p <= 0.05
    assert by_samples / trials > 0.4
    assert by_runs / trials <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)


def test_three_runs_have_to_agree_pair_by_pair() -> None:
    random = np.random.default_rng(8)
    before, slow, slower, fast = (query_times(random, 25, median) for median in (80, 120, 130, 60))
    agreed, split = compare_samples([before], [slow, slower]), compare_samples([before], [slow, fast])
    assert (agreed.basis, split.basis) == ("pairs of runs", "pairs of runs")
    assert agreed.p < 0.001
    assert split.p == 1.0
    assert split.ratio.low is not None
    assert split.ratio.high is not None
    assert split.ratio.low < 60 / 80 < 120 / 80 < split.ratio.high


def test_the_geometric_mean_covers_the_suite_as_often_as_stated() -> None:
    random, trials = np.random.default_rng(9), 120
    changes = np.array([1.0, 1.2, 0.8, 0.5])
    truth, held = float(np.exp(np.log(changes).mean())), {(1, 1): 0, (3, 3): 0}
    for counts, _ in itertools.product(held, range(trials)):
        between = 0.0 if counts == (1, 1) else 0.1
        sides = [
            [
                [
                    factor * query_times(random, 20, shift * median)
                    for shift, median in zip(by, (2, 30, 90, 800), strict=True)
                ]
                for factor in np.exp(random.normal(0, between, count))
            ]
            for count, by in zip(counts, (np.ones(4), changes), strict=True)
        ]
        ratio, _ = geometric_mean(sides[0], sides[1])
        held[counts] += ratio.low is not None and ratio.high is not None and ratio.low <= truth <= ratio.high
    assert {counts: share / trials >= 0.9 for counts, share in held.items()} == {(1, 1): True, (3, 3): True}


def test_holm_by_its_own_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([]) == ()
    assert holm([0.9, 0.8]) == (1.0, 1.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_holm_lies_between_none_and_bonferroni_whatever_the_order(p_values: list[float], random: object) -> None:
    corrected = holm(p_values)
    for p, found in zip(p_values, corrected, strict=True):
        assert p <= found <= min(1.0, p * len(p_values))
    turned = list(range(len(p_values)))[::-1]
    assert sorted(holm([p_values[place] for place in turned])) == sorted(corrected)


def test_levels_are_students() -> None:
    before, after = np.array([80.0, 84.0, 78.0]), np.array([96.0, 99.0, 91.0, 93.0])
    ratio, p = compare_levels(before, after)
    reference = stats.ttest_ind(np.log(after), np.log(before))
    interval = reference.confidence_interval(0.95)
    assert p == pytest.approx(reference.pvalue)
    assert (ratio.low, ratio.high) == pytest.approx((np.exp(interval.low), np.exp(interval.high)))
    alone = level(np.array([80.0]))
    assert alone.value == pytest.approx(80.0)
    assert (alone.low, alone.high) == (None, None)
    mean = stats.t.interval(0.95, 3, np.log(after).mean(), stats.sem(np.log(after)))
    assert (level(after).low, level(after).high) == pytest.approx(tuple(np.exp(mean)))


def test_the_medians_interval_is_the_binomial_one() -> None:
    assert median_interval(np.arange(1.0, 6.0)) is None
    # Of ten, the second and the ninth: 1 - 2 * 11 / 1024 = 97.9 %.
    assert median_interval(np.arange(1.0, 11.0)) == (2.0, 9.0)
    random = np.random.default_rng(10)
    held = [
        found[0] <= 80.0 <= found[1]
        for _ in range(300)
        if (found := median_interval(query_times(random, 25))) is not None
    ]
    assert len(held) == 300
    assert np.mean(held) >= 0.92


@settings(max_examples=60, deadline=None)
@given(times, times)
def test_swapped_sides_give_the_reciprocal(before: list[float], after: list[float]) -> None:
    there = compare_samples([np.array(before)], [np.array(after)])
    back = compare_samples([np.array(after)], [np.array(before)])
    assert back.p == pytest.approx(there.p)
    turned = back.ratio.inverse()
    assert (turned.value, turned.low, turned.high) == pytest.approx(
        (there.ratio.value, there.ratio.low, there.ratio.high), rel=1e-9
    )


@settings(max_examples=60, deadline=None)
@given(times, times, st.floats(0.001, 1000))
def test_another_unit_changes_nothing(before: list[float], after: list[float], scale: float) -> None:
    plain = compare_samples([np.array(before)], [np.array(after)]).ratio
    scaled = compare_samples([np.array(before) * scale], [np.array(after) * scale]).ratio
    assert (scaled.value, scaled.low, scaled.high) == pytest.approx((plain.value, plain.low, plain.high), rel=1e-9)
