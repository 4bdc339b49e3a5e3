"""What Phase 4 promised, as data, beside what was measured."""

from dataclasses import dataclass
from typing import Literal

from ms5ops.benchmark.statistics import Estimate

Met = Literal["met", "partly met", "not met", "not measured"]


@dataclass(frozen=True)
class Span:
    """From ``low`` to ``high``, both included; the ends are equal for a single value."""

    low: float
    high: float


@dataclass(frozen=True)
class Promise:
    """One row of Phase 4's table of expected results.

    ``before`` and ``after`` in ``unit``; ``factor``: how many times better. None where the table gives none.
    """

    key: str
    title: str
    unit: Literal["ms", "GB per month", "share saved"]
    before: Span | None
    after: Span
    factor: Span | None


@dataclass(frozen=True)
class Outside:
    """What a benchmark does not measure: from the storage readings; None where not known.

    Growth in bytes per month as stored (after compression); saved shares 0 to 1 of what compression took in.
    """

    growth_before_bytes: float | None = None
    growth_after_bytes: float | None = None
    saved_share_before: float | None = None
    saved_share_after: float | None = None


@dataclass(frozen=True)
class Fulfilment:
    """A promise and what was measured, in the promise's unit; ``factor``: how many times better it became.

    ``benchmarks``: the names that were measured for it. ``reason``: why it is met or not, in a sentence.
    """

    promise: Promise
    before: float | None
    after: float | None
    factor: Estimate | None
    met: Met
    reason: str
    benchmarks: tuple[str, ...]
