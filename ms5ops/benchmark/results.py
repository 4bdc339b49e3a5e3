"""Results of the parts that are no questions: throughputs, latencies under load, delays."""

from collections.abc import Collection, Mapping
from typing import Any

from ms5ops.benchmark.records import Kind, Outcome, Result, Unit
from ms5ops.benchmark.sampling import NOTHING, figures


def measured(
    name: str,
    kind: Kind,
    about: str,
    values: Collection[float],
    unit: Unit,
    *,
    target: float | None,
    details: Mapping[str, Any],
    higher_is_better: bool = False,
) -> Result:
    """A result "ok"; for a throughput p95 is what 95 % of its samples reach. "stopped" where there is no sample."""
    found = figures(values, higher_is_better=higher_is_better)
    if not found.samples:
        message = "The run was stopped before it was measured."
        return without(name, kind, about, unit=unit, outcome="stopped", message=message, target=target)
    return Result(
        benchmark=name,
        kind=kind,
        group=None,
        about=about,
        outcome="ok",
        message=None,
        unit=unit,
        higher_is_better=higher_is_better,
        samples=found.samples,
        rows=None,
        text_hash=None,
        target_p95=target,
        twin=None,
        mean=found.mean,
        median=found.median,
        minimum=found.minimum,
        maximum=found.maximum,
        p95=found.p95,
        p99=found.p99,
        details=dict(details),
    )


def without(
    name: str,
    kind: Kind,
    about: str,
    *,
    unit: Unit,
    outcome: Outcome,
    message: str,
    target: float | None = None,
    details: Mapping[str, Any] | None = None,
) -> Result:
    """A result without figures, with the reason."""
    return Result(
        benchmark=name,
        kind=kind,
        group=None,
        about=about,
        outcome=outcome,
        message=message,
        unit=unit,
        higher_is_better=unit in ("rows/s", "queries/s"),
        samples=0,
        rows=None,
        text_hash=None,
        target_p95=target,
        twin=None,
        mean=NOTHING.mean,
        median=NOTHING.median,
        minimum=NOTHING.minimum,
        maximum=NOTHING.maximum,
        p95=NOTHING.p95,
        p99=NOTHING.p99,
        details=dict(details or {}),
    )
