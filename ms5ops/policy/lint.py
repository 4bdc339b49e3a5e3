"""Lint: what a policy set would do wrong, said before anything runs. Pure: it reads no server.

A rule judges by what was measured, else by the volume that the policy expects, and says which of the two; with neither
it says that it could not judge. A rule is one function with its threshold's source in the docstring.
"""

from collections.abc import Callable, Iterator

from ms5ops.policy import criteria, rollups, scheduling, sizes, windows
from ms5ops.policy.document import PolicySet
from ms5ops.policy.measured import Edition, LintFinding, Measured, MeasuredTable, Severity

__all__ = ["RULES", "Edition", "LintFinding", "Measured", "MeasuredTable", "Severity", "lint"]

Rule = Callable[[PolicySet, Measured], Iterator[LintFinding]]

RULES: tuple[Rule, ...] = (
    windows.refresh_against_retention,
    windows.refresh_against_own_retention,
    windows.two_buckets,
    windows.compress_before_retain,
    windows.refresh_into_compressed,
    windows.buckets_nest,
    rollups.roll_ups,
    sizes.segment_cardinality,
    sizes.chunk_interval_for_rate,
    sizes.indexes_in_memory,
    sizes.chunk_size,
    sizes.chunk_count,
    sizes.lock_budget,
    scheduling.background_workers,
    scheduling.worker_processes,
    scheduling.refresh_lag,
    scheduling.retention_off_peak,
    scheduling.moving_window,
    criteria.validation_criteria,
    criteria.edition,
    criteria.version,
    criteria.superfluous_indexes,
)

_GRAVEST: tuple[Severity, ...] = ("error", "warning", "info")


def lint(policy: PolicySet, measured: Measured | None = None) -> list[LintFinding]:
    """Everything the rules have to say, gravest first; None: nothing was measured."""
    found = [finding for rule in RULES for finding in rule(policy, measured or Measured())]
    return sorted(found, key=lambda finding: _GRAVEST.index(finding.severity))
