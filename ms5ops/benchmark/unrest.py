"""How restless the server was during a run: what a single run a side can tell of the scatter between runs.

The runner takes the benchmarks in turns, so what slows all of them for a while (another job, a cold cache, a crowded
machine) shows as a stretch of the run in which everything is slower. The run is cut into ``BLOCKS`` stretches of as
many samples; a sample counts by the logarithm of its ratio to its benchmark's median. What the medians of the stretches
scatter more than their samples explain is the unrest. On a machine that is restless within a run, runs differ by at
least as much: with 0.09 to 0.30 within runs of half a minute, runs of an unchanged database scattered by 0.3 to 0.45.

Where no unrest can be seen there may be any: a quick run is over before the server has had time for it, and what has a
turn of its own (ingest, many clients, load) is measured in one stretch. Such runs are taken to be off by ``UNSEEN``.
"""

from typing import Literal

import numpy as np
import pandas as pd
import scipy  # its parts are loaded when they are first used: stats takes a second

BLOCKS = 8
LEAST_PER_BLOCK = 10
"""Fewer samples have no stable median; a shorter run tells nothing of its unrest."""
SIGNIFICANCE = 0.05
"""Cochran's Q has to reject "no unrest" at this level: chance alone would widen every other interval otherwise."""
UNSEEN = 0.45
"""By how much (standard deviation of logarithms) a run is taken to be off as a whole where its unrest cannot be seen:
the most by which runs of an unchanged database were seen to scatter, on a crowded machine of two cores
(docs/adr/0009-a-comparison-rests-on-runs.md). One run a side then has to differ 3.5 times to count."""
Unseen = Literal["quick", "short", "own turn"]
"""Why the unrest of a run cannot be seen: it was a quick one, it has too few samples, or the benchmark was measured in
one stretch."""


def unrest(samples: pd.DataFrame) -> float | None:
    """Standard deviation, between stretches of a run, of the logarithms of all its times; 0 where none is seen, None
    where the samples are too few to see any.

    ``samples`` as in ``records.SAMPLE_DTYPES``, of benchmarks that were taken in turns; values above 0.
    """
    ordered = samples[samples["value"] > 0].sort_values(["taken_at", "ordinal"], kind="stable")
    if len(ordered) < BLOCKS * LEAST_PER_BLOCK:
        return None
    logarithms = np.log(ordered["value"].to_numpy(dtype=float))
    medians = pd.Series(logarithms).groupby(ordered["benchmark"].to_numpy()).transform("median").to_numpy(dtype=float)
    stretches = np.array_split(logarithms - medians, BLOCKS)
    centres = np.array([np.median(stretch) for stretch in stretches])
    # Robust: single outliers are no unrest. The median's variance is π / 2 times that of a mean.
    deviations = np.array([scipy.stats.median_abs_deviation(stretch, scale="normal") for stretch in stretches])
    by_chance = float(np.mean(deviations**2)) * np.pi / 2 / (len(ordered) / BLOCKS)
    between = float(np.var(centres, ddof=1))
    if by_chance == 0 or scipy.stats.chi2.sf((BLOCKS - 1) * between / by_chance, BLOCKS - 1) > SIGNIFICANCE:
        return 0.0
    return float(np.sqrt(between - by_chance))
