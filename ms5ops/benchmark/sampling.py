"""How often each benchmark is taken, in which order, and what its samples come to. Nothing here knows a database."""

import math
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from ms5ops.benchmark.records import SAMPLE_DTYPES


@dataclass(frozen=True)
class Effort:
    """How much is measured; own choices.

    ``budget_s``: what one benchmark's samples may take together; what needs longer gets fewer, but ``least`` as long as
    they stay within ``hard_budget_s`` (five is the fewest that a comparison looks at). ``most`` bounds the fast ones:
    from 20 samples on a change of a tenth is seen in times that scatter by a tenth.
    ``statement_timeout_ms`` bounds a single statement. ``drive_s``: how long ingest, and each step of concurrency and
    load, is driven.
    """

    warmups: int
    least: int
    most: int
    budget_s: float
    hard_budget_s: float
    statement_timeout_ms: int
    drive_s: float
    batches: tuple[int, ...]
    clients: tuple[int, ...]


FULL = Effort(2, 5, 30, 8.0, 90.0, 30_000, 6.0, (100, 1_000, 10_000), (1, 2, 5, 10, 25, 50, 100, 120))
QUICK = Effort(1, 5, 8, 0.1, 3.0, 15_000, 0.6, (1_000,), (1, 8))


def sample_count(once_ms: float, effort: Effort) -> int:
    """How many samples to take of what took ``once_ms`` when warm."""
    once_s = max(once_ms, 0.001) / 1000
    fitting = math.floor(effort.budget_s / once_s)
    if fitting >= effort.least:
        return min(fitting, effort.most)
    return max(1, min(effort.least, math.floor(effort.hard_budget_s / once_s)))


def schedule(counts: Mapping[str, int], seed: int) -> list[str]:
    """The order in which samples are taken: rounds over all benchmarks, each in an order of its own.

    So whatever drifts (a cache that warms up, a neighbour that gets busy) meets all benchmarks alike. Those with fewer
    samples are spread evenly over the rounds. The same counts and seed give the same order.
    """
    rounds = max(counts.values(), default=0)
    order = []
    for number in range(rounds):
        names = sorted(counts)
        random.Random(f"{seed}/{number}").shuffle(names)
        order += [one for one in names if (number + 1) * counts[one] // rounds > number * counts[one] // rounds]
    return order


@dataclass(frozen=True)
class Sample:
    """One timed sample of a benchmark; ``execute_ms`` and ``fetch_ms`` None where it has no such parts."""

    taken_at: datetime
    value: float
    execute_ms: float | None = None
    fetch_ms: float | None = None
    client: int = 0


@dataclass(frozen=True)
class Figures:
    """What samples come to, in their unit. Percentiles interpolate linearly (type 7 of Hyndman and Fan, 1996), as
    percentile_cont of PostgreSQL and quantile_cont of DuckDB do."""

    samples: int
    mean: float | None
    median: float | None
    minimum: float | None
    maximum: float | None
    p95: float | None
    p99: float | None

    def values(self) -> dict[str, Any]:
        """By their names, as a result has them."""
        return dict(asdict(self))


NOTHING = Figures(0, None, None, None, None, None, None)


def figures(values: Collection[float], *, higher_is_better: bool = False) -> Figures:
    """The figures of some samples; none of them where there is no sample.

    p95 and p99 are what 95 and 99 % of the samples keep to: at most so long or, of a throughput, at least so much.
    """
    if not len(values):
        return NOTHING
    array = np.asarray(list(values), dtype=float)
    tails = [5, 1] if higher_is_better else [95, 99]
    median, p95, p99 = (float(value) for value in np.percentile(array, [50, *tails]))
    return Figures(len(array), float(array.mean()), median, float(array.min()), float(array.max()), p95, p99)


def samples_frame(samples: Mapping[str, Sequence[Sample]]) -> pd.DataFrame:
    """All samples by benchmark as a frame of ``records.SAMPLE_DTYPES``."""
    rows = [
        (name, ordinal, one.taken_at, one.value, one.execute_ms, one.fetch_ms, one.client)
        for name, taken in samples.items()
        for ordinal, one in enumerate(taken)
    ]
    frame = pd.DataFrame(rows, columns=list(SAMPLE_DTYPES))
    frame["taken_at"] = pd.to_datetime(frame["taken_at"], utc=True)
    return frame.astype(dict(SAMPLE_DTYPES))


def thinned(values: Sequence[Sample], most: int) -> tuple[Sequence[Sample], int]:
    """Every k-th sample, so that no more than ``most`` are kept, and k."""
    step = max(1, math.ceil(len(values) / most))
    return values[::step], step
