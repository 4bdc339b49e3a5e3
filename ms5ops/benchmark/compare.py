"""Two sides of runs compared: the differences in circumstances, a verdict per benchmark, groups, the suite."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ms5ops.benchmark.expected import Fulfilment, Outside, fulfilments
from ms5ops.benchmark.records import GROUPS, Group, Kind, Result, Run
from ms5ops.benchmark.statistics import RUN_SCATTER, Basis, Estimate, Values, basis_of, geometric_mean, holm
from ms5ops.benchmark.surroundings import Difference, differences
from ms5ops.benchmark.unrest import UNSEEN, Unseen, unrest
from ms5ops.benchmark.verdicts import (
    VERDICTS,
    BenchmarkComparison,
    Held,
    Options,
    Verdict,
    decide,
    judge,
    unrest_of,
    unseen_text,
    usable,
)
from ms5ops.errors import BenchmarkError
from ms5ops.observe.finding import counted
from ms5ops.units import percent_text

IN_TOTALS: frozenset[Kind] = frozenset({"query", "dashboard"})
"""What the geometric means are taken over: the times that people wait; rates and latencies stand for themselves."""


@dataclass(frozen=True)
class Side:
    """One side: what people call it ("before deployment 3", "2026-10") and its runs, at least one."""

    name: str
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Total:
    """The geometric mean of the speedups (above 1: faster) of a group's, or all, queries and dashboards.

    ``group`` is None for the suite. ``benchmarks``: the names it is taken over; ``left_out``: those of the group that
    are not comparable, or that some run does not hold. ``speedup`` and ``basis`` are None where nothing is left. With
    few runs the interval allows for whole runs that are off by their unrest, or by ``statistics.RUN_SCATTER``. The
    test behind a group's verdict is corrected (Holm) for the number of groups. ``only_together``: no single one of its
    benchmarks has this verdict, faster or slower.
    """

    group: Group | None
    speedup: Estimate | None
    verdict: Verdict
    reason: str
    benchmarks: tuple[str, ...]
    left_out: tuple[str, ...]
    basis: Basis | None = None
    only_together: bool = False


@dataclass(frozen=True)
class _Mean:
    """A total before the correction for their number: the mean, its p, and what else there is to say of the runs."""

    group: Group | None
    judged: tuple[BenchmarkComparison, ...]
    left_out: tuple[str, ...]
    speedup: Estimate
    p: float
    basis: Basis
    besides: str


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

    @property
    def is_other_suite(self) -> bool:
        """Whether the sides were asked other questions, without one in common."""
        return _have_nothing_in_common(self.before, self.after)

    @property
    def regressions(self) -> tuple[BenchmarkComparison, ...]:
        """What got worse: the broken first, then the slower, the worst first."""
        worse = [one for one in self.benchmarks if one.is_regression]
        return tuple(sorted(worse, key=lambda one: (not one.is_broken, one.speedup.value if one.speedup else 0)))

    @property
    def worst(self) -> Verdict:
        """The worst verdict on any benchmark; a broken one counts as slower."""
        found = ["slower" if one.is_broken else one.verdict for one in self.benchmarks]
        return next((verdict for verdict in VERDICTS if verdict in found), "not comparable")

    @property
    def is_spoilt(self) -> bool:
        """Whether the sides measured different things, so that no verdict says anything about a change."""
        return any(difference.weight == "spoils" for difference in self.differences)

    def fails(self, on: Verdict) -> bool:
        """Whether any benchmark got this verdict or a worse one (for exit codes; the order is that of VERDICTS)."""
        return VERDICTS.index(self.worst) <= VERDICTS.index(on)

    def as_plain(self) -> dict[str, Any]:
        """As JSON values: a verdict per benchmark; runs by their ids, without samples. Unbounded ends are null."""
        plain: dict[str, Any] = _plain(
            {
                "before": _plain_side(self.before),
                "after": _plain_side(self.after),
                "options": asdict(self.options),
                "differences": [asdict(one) for one in self.differences],
                "is_spoilt": self.is_spoilt,
                "suite": asdict(self.suite),
                "worst": self.worst,
                "regressions": [one.benchmark for one in self.regressions],
                "benchmarks": [
                    {**asdict(one), "is_regression": one.is_regression, "meets_target": one.meets_target}
                    for one in self.benchmarks
                ],
                "groups": [asdict(one) for one in self.groups],
                "promises": [asdict(one) for one in self.promises],
            }
        )
        return plain


def compare(
    before: Side,
    after: Side,
    options: Options | None = None,
    outside: Outside | None = None,
    deployment_names: Mapping[str, str] | None = None,
) -> Comparison:
    """What can be said of the change from one side's runs to the other's.

    ``outside``: what benchmarks do not measure, for the promises on storage. ``deployment_names``: what people call
    the deployments, by id. Raises BenchmarkError where a side is empty or mixes origins, where both hold the same
    run, or where one is measured and the other simulated or replayed.
    """
    _check(before, after)
    options = options or Options()
    old, new = _held(before), _held(after)
    judged = judge(_by_benchmark(old), _by_benchmark(new), options)
    means = [
        _mean(group, [one for one in judged if one.group == group], old, new, options)
        for group in GROUPS
        if any(one.group == group for one in judged)
    ]
    corrected = iter(holm([one.p for one in means if isinstance(one, _Mean)]))
    groups = tuple(_judged(one, next(corrected), options) if isinstance(one, _Mean) else one for one in means)
    whole = _mean(None, judged, old, new, options)
    speedups = {total.group: total.speedup for total in groups if total.group and total.speedup}
    return Comparison(
        before=before,
        after=after,
        options=options,
        differences=differences(
            [run.header for run in before.runs],
            [run.header for run in after.runs],
            deployment_names,
            is_other_suite=_have_nothing_in_common(before, after),
        ),
        benchmarks=judged,
        groups=groups,
        suite=_judged(whole, whole.p, options) if isinstance(whole, _Mean) else whole,
        promises=fulfilments(judged, speedups, outside or Outside()),
    )


def _check(before: Side, after: Side) -> None:
    for side in (before, after):
        if not side.runs:
            raise BenchmarkError(f"There is no run in {side.name}.", "Choose another one.")
    same = {run.header.run_id for run in before.runs} & {run.header.run_id for run in after.runs}
    if same:
        raise BenchmarkError(
            f"{before.name} and {after.name} both hold the run {min(same)}, and a run says nothing against itself.",
            "Choose two sides that share no run.",
        )
    origins = {run.header.origin for side in (before, after) for run in side.runs}
    if len(origins) > 1:
        raise BenchmarkError(
            f"Runs of different origin ({' and '.join(sorted(origins))}) cannot be compared.",
            "Choose runs of one environment, and of one origin.",
        )


def _have_nothing_in_common(before: Side, after: Side) -> bool:
    """Whether both sides tell what they were asked, and no question of one is among those of the other."""
    old, new = (
        {(one.benchmark, one.text_hash) for run in side.runs for one in run.results if one.kind in IN_TOTALS}
        for side in (before, after)
    )
    is_told = all(text_hash is not None for _, text_hash in (*old, *new))
    return bool(old and new) and is_told and not old & new


def _held(side: Side) -> list[dict[str, Held]]:
    """What each run holds, by benchmark."""
    held = []
    for run in side.runs:
        values: dict[str, Values] = {
            str(name): frame["value"].to_numpy(dtype=float)
            for name, frame in run.samples.groupby("benchmark", observed=True, sort=False)
        }
        in_turns = {one.benchmark for one in run.results if one.kind in IN_TOTALS}
        seen = unrest(run.samples[run.samples["benchmark"].isin(in_turns)])
        why: Unseen | None = "quick" if run.header.is_quick else "short" if seen is None else None
        held.append(
            {
                one.benchmark: _held_result(
                    one,
                    values.get(one.benchmark, np.empty(0)),
                    seen or 0.0,
                    why if one.kind in IN_TOTALS else "own turn",
                )
                for one in run.results
            }
        )
    return held


def _held_result(result: Result, values: Values, seen: float, unseen: Unseen | None) -> Held:
    return Held(result, values, max(seen, UNSEEN) if unseen else seen, unseen)


def _by_benchmark(runs: Sequence[Mapping[str, Held]]) -> dict[str, list[Held]]:
    names = dict.fromkeys(name for run in runs for name in run)
    return {name: [run[name] for run in runs if name in run] for name in names}


def _mean(
    group: Group | None,
    judged: Sequence[BenchmarkComparison],
    before: Sequence[Mapping[str, Held]],
    after: Sequence[Mapping[str, Held]],
    options: Options,
) -> _Mean | Total:
    """The mean over what can be taken together; a total with the reason where that is nothing."""
    waited = [one for one in judged if one.kind in IN_TOTALS]
    tested = [one.benchmark for one in waited if one.p is not None]
    old, new = (_usable(side, tested) for side in (before, after))
    names = [name for name in tested if all(name in run for run in (*old, *new))]
    left_out = tuple(one.benchmark for one in waited if one.benchmark not in names)
    if not names:
        reason = "No benchmark has samples enough in every run of both sides."
        return Total(group, None, "not comparable", reason, (), left_out)
    old_values, new_values = ([[run[name].values for name in names] for run in side] for side in (old, new))
    # All benchmarks of a run share its unrest.
    shared = [run[names[0]] for run in old], [run[names[0]] for run in new]
    restless, basis = unrest_of(*shared), basis_of(len(old), len(new))
    ratio, p = geometric_mean(old_values, new_values, options.confidence, restless)
    besides = unseen_text(basis, [*shared[0], *shared[1]])
    if basis != "runs" and not besides:
        besides = (
            f" With so few runs, each is taken to be off by {percent_text(_largest(restless))} as a whole: two runs on"
            " either side tell more."
        )
    taken = tuple(one for one in waited if one.benchmark in names)
    return _Mean(group, taken, left_out, ratio.inverse(), p, basis, besides)


def _judged(mean: _Mean, p: float, options: Options) -> Total:
    """The verdict on a mean with the p-value that counts."""
    verdict, reason = decide(mean.speedup, p, mean.basis, options)
    only_together = verdict in ("faster", "slower") and all(one.verdict != verdict for one in mean.judged)
    if only_together:
        reason += f" None of them is {verdict} for certain by itself: only together do they tell."
    over = counted(len(mean.judged), "benchmark", "benchmarks")
    return Total(
        group=mean.group,
        speedup=mean.speedup,
        verdict=verdict,
        reason=f"Over {over}: {reason[0].lower()}{reason[1:]}{mean.besides}",
        benchmarks=tuple(one.benchmark for one in mean.judged),
        left_out=mean.left_out,
        basis=mean.basis,
        only_together=only_together,
    )


def _largest(unrest_of_runs: tuple[Sequence[float], Sequence[float]]) -> float:
    return max(RUN_SCATTER, *unrest_of_runs[0], *unrest_of_runs[1])


def _usable(side: Sequence[Mapping[str, Held]], names: Sequence[str]) -> list[dict[str, Held]]:
    """What counts of each run that holds any; those of the runs that hold the most benchmarks.

    A run that was stopped early would otherwise take out of the mean all that it did not reach.
    """
    runs = [{name: run[name] for name in names if name in run and usable([run[name]])} for run in side]
    most = max((len(run) for run in runs), default=0)
    return [run for run in runs if most and len(run) == most]


def _plain_side(side: Side) -> dict[str, Any]:
    return {
        "name": side.name,
        "runs": [
            {
                "run_id": run.header.run_id,
                "label": run.header.label,
                "environment": run.header.environment,
                "origin": run.header.origin,
                "started_at": run.header.started_at.isoformat(),
                "is_quick": run.header.is_quick,
                "is_partial": run.header.is_partial,
                "is_summary": run.header.is_summary,
            }
            for run in side.runs
        ],
    }


def _plain(value: Any) -> Any:
    """JSON has no infinity: an end without bound is null."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
