"""What Phase 4 promised, as data, beside what was measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ms5ops.benchmark.records import Group
from ms5ops.benchmark.statistics import Estimate
from ms5ops.benchmark.verdicts import BenchmarkComparison

Met = Literal["met", "partly met", "not met", "not measured"]
PromiseUnit = Literal["ms", "GB per month", "share saved"]


@dataclass(frozen=True)
class Span:
    """From ``low`` to ``high``, both included; the ends are equal for a single value."""

    low: float
    high: float


@dataclass(frozen=True)
class Promise:
    """One row of Phase 4's table of expected results.

    ``before`` and ``after`` in ``unit``; ``factor``: how many times better. None where the table gives none.
    ``group``: of the benchmarks that measure it; None where it is measured elsewhere.
    """

    key: str
    title: str
    unit: PromiseUnit
    before: Span | None
    after: Span
    factor: Span | None
    group: Group | None = None


PROMISES: tuple[Promise, ...] = (
    Promise("recent", "Recent data (under an hour)", "ms", Span(200, 500), Span(20, 50), Span(10, 10), "recent"),
    Promise("history", "History of a week", "ms", Span(5_000, 15_000), Span(100, 500), Span(20, 50), "historical"),
    Promise("dashboard", "Loading a dashboard", "ms", Span(3_000, 8_000), Span(500, 1_500), Span(5, 7), "dashboard"),
    # "80 % less" is a fifth.
    Promise("growth", "Growth of storage", "GB per month", Span(10, 10), Span(1, 2), Span(5, 5)),
    Promise("compression", "Saved by compression", "share saved", None, Span(0.75, 0.9), Span(4, 10)),
)
"""Expected before and after, as Phase 4's guide promises them."""

BYTES_PER_GB = 1e9


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

    ``benchmarks``: the names that were measured for it. ``met``: "met" where both the promised value and the promised
    factor were reached, "partly met" where one was. ``reason``: why, in a sentence.
    """

    promise: Promise
    before: float | None
    after: float | None
    factor: Estimate | None
    met: Met
    reason: str
    benchmarks: tuple[str, ...]


def fulfilments(
    benchmarks: Sequence[BenchmarkComparison], speedups: Mapping[Group, Estimate], outside: Outside
) -> tuple[Fulfilment, ...]:
    """Every promise beside what was measured, in the order of ``PROMISES``.

    Times of a group are the geometric mean of the medians of its benchmarks that were measured on both sides, in
    milliseconds; ``speedups``: the groups' speedups with intervals, where known.
    """
    return tuple(_fulfilment(promise, benchmarks, speedups, outside) for promise in PROMISES)


def _fulfilment(
    promise: Promise,
    benchmarks: Sequence[BenchmarkComparison],
    speedups: Mapping[Group, Estimate],
    outside: Outside,
) -> Fulfilment:
    if promise.group is not None:
        measured = [one for one in benchmarks if one.group == promise.group and one.unit == "ms" and _medians(one)]
        before = _geometric_mean([one.before.median for one in measured if one.before])
        after = _geometric_mean([one.after.median for one in measured if one.after])
        factor = speedups.get(promise.group) or _quotient(before, after)
        return _judged(promise, before, after, factor, tuple(one.benchmark for one in measured))
    if promise.unit == "share saved":
        before, after = outside.saved_share_before, outside.saved_share_after
        # What takes a quarter of its bytes is four times smaller.
        return _judged(promise, before, after, _quotient(1.0, None if after is None else 1 - after), ())
    before, after = _gigabytes(outside.growth_before_bytes), _gigabytes(outside.growth_after_bytes)
    return _judged(promise, before, after, _quotient(before, after), ())


def _judged(
    promise: Promise, before: float | None, after: float | None, factor: Estimate | None, names: tuple[str, ...]
) -> Fulfilment:
    if after is None:
        return Fulfilment(promise, before, None, None, "not measured", "It was not measured.", names)
    by_value = after >= promise.after.low if promise.unit == "share saved" else after <= promise.after.high
    by_factor = None if promise.factor is None or factor is None else factor.value >= promise.factor.low
    met: Met
    if by_factor is None:
        met = "met" if by_value else "not met"
        reason = f"The promised value was {'' if by_value else 'not '}reached; there is no factor to hold against it."
    elif by_value and by_factor:
        met, reason = "met", "The promised value and the promised factor were reached."
    elif by_value:
        was_good = before is not None and promise.unit != "share saved" and before <= promise.after.high
        met = "partly met"
        reason = "The promised value was reached, the promised factor not" + (
            ": it was as good before already." if was_good else "."
        )
    elif by_factor:
        met, reason = "partly met", "The promised factor was reached, the promised value not."
    else:
        met, reason = "not met", "Neither the promised value nor the promised factor was reached."
    return Fulfilment(promise, before, after, factor, met, reason, names)


def _medians(one: BenchmarkComparison) -> bool:
    return one.ratio is not None and all(side is not None and side.median for side in (one.before, one.after))


def _geometric_mean(values: Sequence[float | None]) -> float | None:
    told = [math.log(value) for value in values if value]
    return math.exp(sum(told) / len(told)) if told else None


def _quotient(before: float | None, after: float | None) -> Estimate | None:
    if before is None or after is None or before <= 0 or after <= 0:
        return None
    return Estimate(before / after)


def _gigabytes(size_bytes: float | None) -> float | None:
    return None if size_bytes is None else size_bytes / BYTES_PER_GB
