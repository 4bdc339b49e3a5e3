"""The verdict on one benchmark: faster, slower, equivalent, inconclusive or not comparable, and why."""

from dataclasses import dataclass
from typing import Literal

from ms5ops.benchmark.records import Group, Kind, Unit
from ms5ops.benchmark.statistics import Basis, Estimate

Verdict = Literal["slower", "not comparable", "inconclusive", "equivalent", "faster"]
"""From the worst to the best."""


@dataclass(frozen=True)
class Options:
    """What a verdict asks for.

    ``confidence`` of every interval; a test is significant at 1 - confidence. ``margin``: an interval wholly within
    1 / (1 + margin) to 1 + margin is equivalent. ``smallest``: a change is only called faster or slower when the
    ratio is at least this far from 1, in either direction (0.05: a factor of 1.05).
    """

    confidence: float = 0.95
    margin: float = 0.05
    smallest: float = 0.05


@dataclass(frozen=True)
class Figures:
    """One side of a benchmark, in its unit, over all samples of all its runs; ``runs`` counts those that hold it."""

    runs: int
    samples: int
    mean: float | None
    median: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True)
class BenchmarkComparison:
    """One benchmark on both sides.

    ``ratio`` is after / before in the unit; ``speedup`` the same as how many times faster (above 1: better, whichever
    way the unit points); both None where not comparable, without ends where there are no samples. ``p`` is None where
    nothing was tested, ``p_corrected`` is Holm's over all tested benchmarks. ``p_samples``: Mann-Whitney on all
    samples. ``is_broken``: it gave an answer before and gives none after. ``is_summary``: a side has no samples.
    """

    benchmark: str
    kind: Kind
    group: Group | None
    about: str
    unit: Unit
    higher_is_better: bool
    target_p95: float | None
    verdict: Verdict
    reason: str
    before: Figures | None
    after: Figures | None
    ratio: Estimate | None
    speedup: Estimate | None
    p: float | None
    p_corrected: float | None
    p_samples: float | None
    basis: Basis | None
    is_broken: bool
    is_summary: bool

    @property
    def is_regression(self) -> bool:
        """Whether it got worse: slower, or broken."""
        return self.verdict == "slower" or self.is_broken
