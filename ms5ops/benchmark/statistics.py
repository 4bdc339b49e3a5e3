"""What samples say: a ratio with its interval, a test, and the correction for many tests.

Everything is about ratios after / before, so values are compared by their logarithms: query times are skewed, and a
change of the server multiplies them. All values have to be above 0.

One run a side. The test is Mann and Whitney's on all samples; the ratio is the Hodges-Lehmann shift of the
logarithms (the median of all pairwise ratios), and its interval is the set of ratios that the test does not reject
(Hollander and Wolfe, Nonparametric Statistical Methods, 4.2 and 4.3). So the two never contradict each other, and
neither asks for normal errors or is moved by a few outliers. Samples of a run are taken to be exchangeable, which the
runner's interleaved random order brings about. They share their run's circumstances, though: the interval covers the
scatter within these two runs, and what unrest was seen during them, not what another run on another day would give.

Several runs a side. Runs then are what varies independently, not samples: thirty samples of one cold morning are one
morning. Each run counts once, by the logarithm of its median; the interval is Student's for two groups of equal
variance, which holds however samples within a run hang together (a summary-measures analysis: Kalibera and Jones,
Rigorous benchmarking in reasonable time, 2013). The variance is pooled, as a side alone seldom has runs enough for one
of its own. With three runs in all there is one degree of freedom and that interval says nothing (t = 12.7), so every
pair of runs is compared as above, and only what holds for each pair counts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy  # its parts are loaded when they are first used: stats takes a second
from numpy.typing import NDArray

Values = NDArray[np.float64]
Basis = Literal["samples", "pairs of runs", "runs"]
"""What an interval covers: the scatter of samples within one run a side, that within each pair of runs, or the
scatter between runs too."""

MIN_RUNS = 4
"""Runs of both sides together from which the scatter between runs is estimated: two degrees of freedom."""
RUN_SCATTER = 0.05
"""By how much (standard deviation of logarithms) a whole run is taken to be off at least, where the runs are too few to
tell and all benchmarks are taken together: own choice, for a quiet server. What was seen of its unrest counts where it
is more."""
_PAIRS_AT_ONCE = 250_000


@dataclass(frozen=True)
class Estimate:
    """A ratio, or a level, with its interval; ``low`` and ``high`` are None where no interval can be given."""

    value: float
    low: float | None = None
    high: float | None = None

    def inverse(self) -> "Estimate":
        """The ratio the other way round."""
        low, high = (None if end is None else _reciprocal(end) for end in (self.high, self.low))
        return Estimate(_reciprocal(self.value), low, high)

    @property
    def is_beyond_one(self) -> bool:
        """Whether the whole interval lies on one side of 1; False without an interval."""
        return self.low is not None and self.high is not None and (self.low > 1 or self.high < 1)

    def is_within(self, margin: float) -> bool:
        """Whether the whole interval lies between 1 / (1 + margin) and 1 + margin; False without an interval."""
        if self.low is None or self.high is None:
            return False
        return self.low >= 1 / (1 + margin) and self.high <= 1 + margin


@dataclass(frozen=True)
class RatioTest:
    """What two sides' samples say. ``p_samples``: Mann-Whitney on all of them, two-sided; ``p``: the one to decide
    on, the largest of ``p_samples`` and what ``basis`` asks for besides."""

    ratio: Estimate
    p: float
    p_samples: float
    basis: Basis


def basis_of(runs_before: int, runs_after: int) -> Basis:
    """What an interval over so many runs covers."""
    if runs_before + runs_after >= MIN_RUNS:
        return "runs"
    return "samples" if runs_before == runs_after else "pairs of runs"


def compare_samples(
    before: Sequence[Values],
    after: Sequence[Values],
    confidence: float = 0.95,
    unrest: tuple[Sequence[float], Sequence[float]] | None = None,
) -> RatioTest:
    """The ratio after / before of two sides, one array of samples per run.

    ``unrest`` of each run before, and after (``unrest.unrest``): where the runs are too few to tell by how much they
    scatter, intervals and p allow for each of them being off by that as a whole. Nothing: by none.
    Every array holds at least one value, and every value is above 0 (ValueError otherwise).
    """
    old, new = ([_logarithms(run) for run in side] for side in (before, after))
    p_samples = _mann_whitney(np.concatenate(old), np.concatenate(new))
    basis = basis_of(len(old), len(new))
    if basis == "runs":
        ratio, p = _student(_medians(old), _medians(new), confidence)
        return RatioTest(ratio, max(p, p_samples), p_samples, basis)
    restless = unrest or ([0.0] * len(old), [0.0] * len(new))
    normal = float(scipy.stats.norm.ppf((1 + confidence) / 2))
    shifts, p_values = [], [p_samples]
    for one, unrest_before in zip(old, restless[0], strict=True):
        for other, unrest_after in zip(new, restless[1], strict=True):
            shift = _shift(one, other, confidence)
            off = math.hypot(unrest_before, unrest_after)
            shifts.append(_widened(shift, normal * off))
            p_values.append(_mann_whitney(one, other))
            if off:
                error = math.hypot((shift[2] - shift[1]) / (2 * normal), off)
                p_values.append(float(2 * scipy.stats.norm.sf(abs(shift[0]) / error)))
    p = max(p_values) if _agree(shifts) else 1.0
    return RatioTest(_hull(shifts), p, p_samples, basis)


def geometric_mean(
    before: Sequence[Sequence[Values]],
    after: Sequence[Sequence[Values]],
    confidence: float = 0.95,
    unrest: tuple[Sequence[float], Sequence[float]] | None = None,
) -> tuple[Estimate, float]:
    """The geometric mean of the ratios after / before of several benchmarks, and its two-sided p.

    ``before[run][benchmark]``: every run holds the same benchmarks in the same order. The mean is about these
    benchmarks, not about others they might stand for. From ``MIN_RUNS`` runs on, a run's mean over its benchmarks
    counts once, so that what befell a whole run is not counted once per benchmark. With fewer, the errors within a
    run add up as independent ones, as the runner interleaves the benchmarks (a shift's standard error is its
    interval's width over that of a standard normal one); what befalls a whole run does not average out over its
    benchmarks, however many they are, so its unrest, ``RUN_SCATTER`` at least, is added for each of the two runs.
    """
    old, new = ([[_logarithms(values) for values in run] for run in side] for side in (before, after))
    if basis_of(len(old), len(new)) == "runs":
        means = [np.array([np.mean(_medians(run)) for run in side]) for side in (old, new)]
        return _student(means[0], means[1], confidence)
    normal = float(scipy.stats.norm.ppf((1 + confidence) / 2))
    restless = unrest or ([0.0] * len(old), [0.0] * len(new))
    shifts, p_values = [], []
    for one, unrest_before in zip(old, restless[0], strict=True):
        for other, unrest_after in zip(new, restless[1], strict=True):
            off = math.hypot(max(RUN_SCATTER, unrest_before), max(RUN_SCATTER, unrest_after))
            found = np.array([_shift(*pair, confidence) for pair in zip(one, other, strict=True)])
            centre = float(found[:, 0].mean())
            errors = (found[:, 2] - found[:, 1]) / (2 * normal)
            error = math.hypot(float(np.sqrt(np.sum(errors**2))) / len(found), off)
            shifts.append((centre, centre - normal * error, centre + normal * error))
            p_values.append(float(2 * scipy.stats.norm.sf(abs(centre) / error)))
    return _hull(shifts), max(p_values) if _agree(shifts) else 1.0


def compare_levels(
    before: Values, after: Values, confidence: float = 0.95, inflation: float = 1.0
) -> tuple[Estimate, float]:
    """The ratio after / before of two groups of runs by their medians (at least three in all), and its two-sided p.

    ``inflation``: how many times the variance of a mean is that of as many independent runs.
    """
    return _student(_logarithms(before), _logarithms(after), confidence, inflation)


def level(medians: Values, confidence: float = 0.95) -> Estimate:
    """The geometric mean of runs' medians; its interval is Student's, and there is none of a single run."""
    logarithms = _logarithms(medians)
    centre = float(logarithms.mean())
    if len(medians) < 2:
        return Estimate(math.exp(centre))
    error = float(logarithms.std(ddof=1)) / math.sqrt(len(medians))
    width = float(scipy.stats.t.ppf((1 + confidence) / 2, len(medians) - 1)) * error
    return _ratio((centre, centre - width, centre + width))


def median_interval(values: Values, confidence: float = 0.95) -> tuple[float, float] | None:
    """The interval of the median from order statistics (binomial, free of any distribution); None where the samples
    are too few for it (under six at 95 %)."""
    rank = int(scipy.stats.binom.ppf((1 - confidence) / 2, len(values), 0.5))
    if rank < 1 or 2 * float(scipy.stats.binom.cdf(rank - 1, len(values), 0.5)) > 1 - confidence:
        return None
    ordered = np.sort(values)
    return float(ordered[rank - 1]), float(ordered[-rank])


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """p-values corrected so that the chance of any false alarm among them stays at the level (Holm 1979)."""
    count = len(p_values)
    corrected, largest = [1.0] * count, 0.0
    for rank, index in enumerate(sorted(range(count), key=lambda place: p_values[place])):
        largest = max(largest, min(1.0, p_values[index] * (count - rank)))
        corrected[index] = largest
    return tuple(corrected)


def _logarithms(values: Values) -> Values:
    if len(values) == 0 or not np.all(np.isfinite(values) & (values > 0)):
        raise ValueError("a ratio needs samples, all of them above 0")
    return np.log(values)


def _mann_whitney(before: Values, after: Values) -> float:
    """Two-sided p by the normal approximation, corrected for ties and continuity: the one that ``_shift`` inverts.

    From five samples a side on it is within 0.01 of the exact one.
    """
    if before.min() == before.max() == after.min() == after.max():
        return 1.0
    return float(scipy.stats.mannwhitneyu(after, before, alternative="two-sided", method="asymptotic").pvalue)


def _shift(before: Values, after: Values, confidence: float) -> tuple[float, float, float]:
    """Hodges-Lehmann shift of logarithms and its interval, infinite where the samples are too few for one."""
    pairs = len(before) * len(after)
    deviation = math.sqrt(pairs * (len(before) + len(after) + 1) / 12)
    # The largest U that the test rejects; the next pairwise difference is the first ratio it does not.
    rejected = math.floor(pairs / 2 - 0.5 - float(scipy.stats.norm.ppf((1 + confidence) / 2)) * deviation)
    middle = ((pairs - 1) // 2, pairs // 2)
    if rejected < 0:
        low, high = middle
        found = _differences(before, after, middle)
        return (found[low] + found[high]) / 2, -math.inf, math.inf
    ends = (rejected, pairs - 1 - rejected)
    found = _differences(before, after, (*middle, *ends))
    return (found[middle[0]] + found[middle[1]]) / 2, found[ends[0]], found[ends[1]]


def _differences(before: Values, after: Values, ranks: Sequence[int]) -> dict[int, float]:
    """The differences after - before of all pairs that stand at these ranks (from 0, ascending)."""
    wanted = sorted(set(ranks))
    if len(before) * len(after) <= _PAIRS_AT_ONCE:
        ordered = np.partition(np.subtract.outer(after, before).ravel(), wanted)
        return {rank: float(ordered[rank]) for rank in wanted}
    # Too many pairs to hold: halve the range of differences until it is as narrow as a double tells apart.
    old, new = np.sort(before), np.sort(after)
    return {rank: _difference_at(rank, old, new) for rank in wanted}


def _difference_at(rank: int, old: Values, new: Values) -> float:
    low, high = float(new[0] - old[-1]), float(new[-1] - old[0])
    while low < (middle := (low + high) / 2) < high:
        if int(np.searchsorted(new, old + middle, side="right").sum()) > rank:
            high = middle
        else:
            low = middle
    return high


def _medians(runs: Sequence[Values]) -> Values:
    return np.array([np.median(run) for run in runs])


def _student(before: Values, after: Values, confidence: float, inflation: float = 1.0) -> tuple[Estimate, float]:
    """Ratio, interval and two-sided p of two groups of logarithms with a common variance."""
    freedom = len(before) + len(after) - 2
    squares = float(np.sum((before - before.mean()) ** 2) + np.sum((after - after.mean()) ** 2))
    error = math.sqrt(inflation * squares / freedom * (1 / len(before) + 1 / len(after)))
    shift = float(after.mean() - before.mean())
    width = float(scipy.stats.t.ppf((1 + confidence) / 2, freedom)) * error
    ratio = _ratio((shift, shift - width, shift + width))
    if error == 0:
        return ratio, 1.0 if shift == 0 else 0.0
    return ratio, float(2 * scipy.stats.t.sf(abs(shift) / error, freedom))


def _widened(shift: tuple[float, float, float], by: float) -> tuple[float, float, float]:
    """The interval with an independent error whose own interval is +- ``by``."""
    centre, low, high = shift
    return centre, centre - math.hypot(centre - low, by), centre + math.hypot(high - centre, by)


def _agree(shifts: Sequence[tuple[float, float, float]]) -> bool:
    """Whether all point the same way."""
    return len({shift[0] > 0 for shift in shifts}) == 1


def _hull(shifts: Sequence[tuple[float, float, float]]) -> Estimate:
    centres, lows, highs = zip(*shifts, strict=True)
    return _ratio((sum(centres) / len(centres), min(lows), max(highs)))


def _ratio(shift: tuple[float, float, float]) -> Estimate:
    # Beyond the range of a double a bound is no bound.
    value, low, high = (math.exp(end) if end < 700 else math.inf for end in shift)
    return Estimate(value, low, high)


def _reciprocal(value: float) -> float:
    return 1 / value if value else math.inf
