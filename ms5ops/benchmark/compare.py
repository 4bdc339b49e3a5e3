"""Two sides of runs compared: the differences in circumstances, a verdict per benchmark, groups, the suite."""

from dataclasses import dataclass

from ms5ops.benchmark.expected import Fulfilment
from ms5ops.benchmark.records import Group, Run
from ms5ops.benchmark.statistics import Estimate
from ms5ops.benchmark.surroundings import Difference
from ms5ops.benchmark.verdicts import BenchmarkComparison, Options, Verdict


@dataclass(frozen=True)
class Side:
    """One side: what people call it ("before deployment 3", "2026-10") and its runs, at least one."""

    name: str
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Total:
    """The geometric mean of the speedups (above 1: faster) of a group's, or all, queries and dashboards.

    ``group`` is None for the suite. ``benchmarks``: the names it is taken over; ``left_out``: those of the group that
    are not comparable, or that some run does not hold. ``speedup`` is None where nothing is left.
    """

    group: Group | None
    speedup: Estimate | None
    verdict: Verdict
    reason: str
    benchmarks: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """What can be said of two sides.

    ``differences`` come first, the gravest first; ``groups`` are those measured, in the order of GROUPS.
    """

    before: Side
    after: Side
    options: Options
    differences: tuple[Difference, ...]
    benchmarks: tuple[BenchmarkComparison, ...]
    groups: tuple[Total, ...]
    suite: Total
    promises: tuple[Fulfilment, ...]
