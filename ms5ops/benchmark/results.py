"""Results of the parts that are no questions: throughputs, latencies under load, delays."""

from collections.abc import Collection, Mapping
from typing import Any

from ms5ops.benchmark.records import Kind, Outcome, Result, Unit
from ms5ops.benchmark.sampling import NOTHING, Figures, figures


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
    text_hash: str | None = None,
) -> Result:
    """A result "ok"; for a throughput p95 is what 95 % of its samples reach. "stopped" where there is no sample."""
    found = figures(values, higher_is_better=higher_is_better)
    if not found.samples:
        message = "The run was stopped before it was measured."
        return without(name, kind, about, unit=unit, outcome="stopped", message=message, target=target)
    return _result(
        name, kind, about, found,
        unit=unit, higher_is_better=higher_is_better, outcome="ok", message=None, target=target, details=details,
        text_hash=text_hash,
    )  # fmt: skip


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
    return _result(
        name, kind, about, NOTHING,
        unit=unit, higher_is_better=unit in ("rows/s", "queries/s"), outcome=outcome, message=message, target=target,
        details=details or {},
    )  # fmt: skip


def _result(
    name: str,
    kind: Kind,
    about: str,
    found: Figures,
    *,
    unit: Unit,
    higher_is_better: bool,
    outcome: Outcome,
    message: str | None,
    target: float | None,
    details: Mapping[str, Any],
    text_hash: str | None = None,
) -> Result:
    return Result(
        benchmark=name,
        kind=kind,
        group=None,
        about=about,
        outcome=outcome,
        message=message,
        unit=unit,
        higher_is_better=higher_is_better,
        rows=None,
        text_hash=text_hash,
        target_p95=target,
        twin=None,
        **found.values(),
        details=dict(details),
    )
