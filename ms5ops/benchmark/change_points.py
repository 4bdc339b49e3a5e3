"""Where a series of runs changes its level.

A change point is a shift of the mean of the logarithms of the runs' medians: a change of the server multiplies times,
and the median stands for a run. ruptures finds the best segmentation by penalised least squares (KernelCPD with the
linear kernel: the l2 cost, solved exactly by PELT in C); the penalty is 2 σ² ln n, Schwarz's criterion for one more
level and one more place (Yao 1988), with σ from the differences of neighbouring runs, which shifts hardly touch.

A criterion alone gives too many alarms. So single runs that stand out are drawn in first (they are a bad night, no
level), and every point has to stand a t-test between the two segments that it divides, with a variance that allows for
neighbouring runs being alike, corrected for the places it could have been (Bonferroni) at ``ALPHA``; and to be a change
that matters. The weakest that does not is taken out, its segments are joined, until all stand. A slow drift comes out
as a step or several: read the dates as "about then".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ms5ops.benchmark.statistics import Estimate, Values, compare_levels

ALPHA = 0.01
"""A found point's chance of being none, after correction: a suite has twenty benchmarks, and each false alarm costs a
search for its cause."""
SMALLEST = 0.05
"""Smaller changes are not told, as in ``verdicts.Options``."""
MIN_SEGMENT = 3
"""Fewer runs are no level: a single bad night, or two, is none."""
MIN_RUNS = 2 * MIN_SEGMENT
LEAST_NOISE = 0.01
"""Runs that agree better than 1 % are taken to scatter by 1 %: clocks and caches do not allow to tell less."""

OUTLIER = 3.0
"""Runs further from their neighbours than so many standard deviations of the noise are drawn in to that distance."""
_MAD_TO_DEVIATION = 1.4826  # of a normal distribution


@dataclass(frozen=True)
class Shift:
    """A shift of the level: the index of the first run after it, the ratio after / before, its corrected p, the number
    of runs of the segments on its sides."""

    place: int
    ratio: Estimate
    p: float
    runs_before: int
    runs_after: int


def change_points(medians: Values) -> tuple[Shift, ...]:
    """Where a series of runs' medians (oldest first, all above 0) changes its level."""
    if len(medians) < MIN_RUNS:
        return ()
    import ruptures  # noqa: PLC0415 (half a second to load, for trends only)

    levels, noise = _without_outliers(np.log(medians))
    search = ruptures.KernelCPD(kernel="linear", min_size=MIN_SEGMENT).fit((levels / noise)[:, np.newaxis])
    found = [int(end) for end in search.predict(pen=2 * math.log(len(levels)))[:-1]]
    while found:
        tested = _tested(levels, found)
        weakest = max(tested, key=lambda one: one.p)
        if weakest.p <= ALPHA:
            return tuple(tested)
        found.remove(weakest.place)
    return ()


def _tested(levels: Values, places: Sequence[int]) -> list[Shift]:
    """Each place with the test between its segments; one whose change does not matter has a p of 1."""
    segments = np.split(levels, places)
    inflation = _inflation(np.concatenate([segment - segment.mean() for segment in segments]), len(segments))
    could_be = len(levels) - 2 * MIN_SEGMENT + 1
    tested = []
    for place, (left, right) in zip(places, pairwise(segments), strict=True):
        ratio, p = compare_levels(np.exp(left), np.exp(right), inflation=inflation)
        matters = not 1 / (1 + SMALLEST) < ratio.value < 1 + SMALLEST
        tested.append(Shift(place, ratio, min(1.0, p * could_be) if matters else 1.0, len(left), len(right)))
    return tested


def _without_outliers(logarithms: Values) -> tuple[Values, float]:
    """The series with single runs drawn in to their neighbours' median +- ``OUTLIER`` times the noise, and the noise.

    The neighbours are two runs to either side, so that ``MIN_SEGMENT`` runs of a new level are never drawn in.
    """
    noise = float(np.median(np.abs(np.diff(logarithms)))) * _MAD_TO_DEVIATION / math.sqrt(2)
    noise = max(LEAST_NOISE, noise)
    reach = MIN_SEGMENT - 1
    middles = np.array(
        [np.median(logarithms[max(0, place - reach) : place + reach + 1]) for place in range(len(logarithms))]
    )
    return np.clip(logarithms, middles - OUTLIER * noise, middles + OUTLIER * noise), noise


def _inflation(residuals: Values, segments: int) -> float:
    """How many times the variance of a mean is that of independent runs, by the correlation of neighbouring runs.

    (1 + r) / (1 - r) of a first-order autoregression; r is mended for its bias towards below, (1 + 3 r) / n per level
    that was taken out (Kendall 1954), and runs that alternate are taken for independent.
    """
    squares = float(np.sum(residuals**2))
    if squares == 0:
        return 1.0
    found = float(np.sum(residuals[1:] * residuals[:-1])) / squares
    mended = found + (1 + 3 * found) * segments / len(residuals)
    correlation = min(0.9, max(0.0, mended))
    return (1 + correlation) / (1 - correlation)
