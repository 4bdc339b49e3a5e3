"""What the months before the first deployment say beside those after it: dashboards, failures, degradation."""

import math
import statistics
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import scipy  # its parts are loaded when they are first used: stats takes a second

from ms5ops.benchmark.compare import IN_TOTALS, Comparison
from ms5ops.benchmark.records import Run, RunHeader
from ms5ops.benchmark.run_summary import benchmark_title
from ms5ops.benchmark.unrest import UNSEEN
from ms5ops.benchmark.verdicts import BenchmarkComparison
from ms5ops.observe.finding import counted
from ms5ops.scorecard import months
from ms5ops.scorecard.material import Epoch, Material
from ms5ops.scorecard.records import Answer, Evidence, judged, unmeasured
from ms5ops.scorecard.speed_answers import run_evidence
from ms5ops.snapshots import transaction_spans
from ms5ops.units import count_text, instant_text, milliseconds_text, percent_beside, percent_text

DASHBOARDS_WANTED = 0.5
"""Spec: dashboard load time down by more than 50 %."""
LEAST_SPAN = timedelta(days=7)
"""Own choice: a week holds every shift of a factory once."""
LEAST_TRANSACTIONS = 1_000
"""Own choice: of fewer, one in a thousand cannot be seen."""
RISE, ALPHA = 0.1, 0.01
"""Own choice: a rise by a tenth or less is none, nor is one that chance brings about once in a hundred times."""
NO_SNAPSHOTS = "The console stores snapshots as it runs; python -m ms5ops collect does so from cron."

Key = tuple[str, str | None]


def dashboards_down(found: Material) -> Answer:
    """Whether dashboards load in half the time, or less, of before."""
    epoch = found.epoch
    if epoch is None:
        return unmeasured(found.why_no_epoch)
    before = [run for run in found.runs if epoch.is_before(run.header.started_at, run.header.finished_at)]
    after = [run for run in found.runs if epoch.is_after(run.header.started_at, run.header.finished_at)]
    old, new = _levels(before), _levels(after)
    both = sorted(old.keys() & new.keys())
    if not both:
        return unmeasured(_lacking_side(bool(old), bool(new), "run that measured dashboards"))
    was, is_now = (_geometric_mean([side[key] for key in both]) for side in (old, new))
    down = 1 - is_now / was
    before, after = ([run for run in side if _levels([run]).keys() & set(both)] for side in (before, after))
    by_run = [(run.header.started_at, _levels([run])) for run in (*before, *after)]
    whole = [
        (at, _geometric_mean([levels[key] for key in both])) for at, levels in by_run if levels.keys() >= set(both)
    ]
    last_before, newest = (max((run.header for run in side), key=_started) for side in (before, after))
    change = f"{percent_beside(down, DASHBOARDS_WANTED)} less" if down >= 0 else f"{percent_text(-down)} more"
    return judged(
        down > DASHBOARDS_WANTED,
        down,
        f"{milliseconds_text(was)} → {milliseconds_text(is_now)} ({change})",
        f"Over {counted(len(both), 'dashboard', 'dashboards')}, loading took {milliseconds_text(was)} before the first "
        f"deployment and takes {milliseconds_text(is_now)} since.",
        measured_at=newest.started_at,
        origin=found.origin,
        evidence=(run_evidence(newest), run_evidence(last_before)),
        details=(
            *(
                f"{benchmark_title(name)}: {milliseconds_text(old[name, text])} before, "
                f"{milliseconds_text(new[name, text])} after (medians over runs)"
                for name, text in both
            ),
            _run_line("Runs before", before),
            _run_line("Runs after", after),
        ),
        trend=months.trend(whole, "Load time of dashboards", "ms", more_is_better=False, scatter=UNSEEN),
    )


def _started(header: RunHeader) -> datetime:
    return header.started_at


def _run_line(name: str, runs: Sequence[Run]) -> str:
    return f"{name}: {', '.join(run.header.run_id for run in runs)}"


def _levels(runs: Sequence[Run]) -> dict[Key, float]:
    """The median over runs of each dashboard's median, in milliseconds; the same name with another text is another."""
    values: dict[Key, list[float]] = {}
    for run in runs:
        for one in run.results:
            if one.group == "dashboard" and one.outcome == "ok" and one.unit == "ms" and one.median:
                values.setdefault((one.benchmark, one.text_hash), []).append(one.median)
    return {key: statistics.median(told) for key, told in values.items()}


def _geometric_mean(values: Sequence[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def _lacking_side(has_before: bool, has_after: bool, what: str) -> str:
    if not has_before and not has_after:
        return f"There is no {what} before or after the first deployment."
    if has_before and has_after:
        return f"No {what} before the first deployment asked the same as one after it."
    return f"There is no {what} {'after' if has_before else 'before'} the first deployment."


def degradation(found: Material) -> Answer:
    """Whether any query or dashboard is slower than before Phase 4, or broken."""
    if found.epoch is None:
        return unmeasured(found.why_no_epoch)
    reading = found.around()
    if reading.error is not None:
        return unmeasured(
            f"The runs could not be compared: {reading.error.happened}", details=(reading.error.next_step,)
        )
    compared = reading.value
    if compared is None:
        return unmeasured("There are no benchmark runs both before and after the first deployment.")
    return judge_degradation(compared, found)


def count_slower(compared: Comparison) -> int | None:
    """How many queries and dashboards became slower, or broke; None where that cannot be told."""
    judged_ones, worse = _judged_and_worse(compared)
    return None if compared.is_spoilt or not (judged_ones or worse) else len(worse)


def _judged_and_worse(
    compared: Comparison,
) -> tuple[list[BenchmarkComparison], list[BenchmarkComparison]]:
    waited = [one for one in compared.benchmarks if one.kind in IN_TOTALS]
    return [one for one in waited if one.p is not None], [one for one in compared.regressions if one.kind in IN_TOTALS]


def judge_degradation(compared: Comparison, found: Material) -> Answer:
    """The answer from a comparison of the runs around the first deployment."""
    waited = [one for one in compared.benchmarks if one.kind in IN_TOTALS]
    judged_ones, worse = _judged_and_worse(compared)
    headers = [side.runs[-1].header for side in (compared.after, compared.before)]
    by_month = found.slower_by_month()
    shown: dict[str, Any] = {
        "measured_at": headers[0].started_at,
        "origin": found.origin,
        "evidence": (
            Evidence(
                "Comparison of the runs before and after",
                None,
                headers[0].started_at,
                f"python -m ms5ops benchmark compare {headers[1].run_id} {headers[0].run_id}",
                "compare",
                {"before": headers[1].run_id, "after": headers[0].run_id},
            ),
            *map(run_evidence, headers),
        ),
        "details": (
            *(f"{benchmark_title(one.benchmark)}: {one.verdict}. {one.reason}" for one in waited),
            *([] if by_month.error is None else [f"The months could not be compared: {by_month.error.happened}"]),
        ),
        "trend": months.trend(
            [(at, float(number)) for at, number in by_month.found(())],
            "Queries and dashboards slower than before the first deployment, by the runs of each month",
            "queries and dashboards",
            more_is_better=False,
        ),
    }
    if not judged_ones and not worse:
        return unmeasured("No query or dashboard could be compared: see why under Compare.", **shown)
    if compared.is_spoilt:
        grave = [one for one in compared.differences if one.weight == "spoils"]
        return unmeasured(f"The runs measured different things: {grave[0].subject} differs.", **shown)
    text = f"{len(worse)} of {len({*judged_ones, *worse})} slower"
    if worse:
        reason = f"Slower than before: {', '.join(benchmark_title(one.benchmark) for one in worse[:3])}."
    else:
        reason = f"None of {counted(len(judged_ones), 'query or dashboard', 'queries and dashboards')} became slower."
    return judged(not worse, float(len(worse)), text, reason, **shown)


def failures(found: Material) -> Answer:
    """Whether more transactions fail than before Phase 4."""
    epoch = found.epoch
    spans = transaction_spans(found.transactions)
    if len(spans) and not spans["transactions"].any():
        return unmeasured("This server does not count its transactions, as the embedded one does not.")
    if epoch is None:
        return unmeasured(found.why_no_epoch)
    before, after = _side(spans, epoch, "before"), _side(spans, epoch, "after")
    if not (_is_enough(before) and _is_enough(after)):
        lacking = " and ".join(name for name, side in (("before", before), ("after", after)) if not _is_enough(side))
        return unmeasured(
            f"Snapshots cover too little of the time {lacking} the first deployment: a week and "
            f"{count_text(LEAST_TRANSACTIONS)} transactions are needed.",
            details=(NO_SNAPSHOTS,),
        )
    was, is_now = _per_thousand(before), _per_thousand(after)
    good = not has_risen(before, after)
    newest: datetime = after["until"].max().to_pydatetime()
    first: datetime = before["since"].min().to_pydatetime()
    return judged(
        good,
        is_now,
        f"{was:.2f} → {is_now:.2f} of 1,000",
        f"Of 1,000 transactions, {was:.2f} did not commit before the first deployment and {is_now:.2f} do not since"
        + (": no more than chance allows." if good else ": more than chance explains."),
        measured_at=newest,
        origin=found.origin,
        evidence=(
            Evidence(
                f"Snapshots from {instant_text(first)} to {instant_text(newest)}",
                None,
                newest,
                "python -m ms5ops history show",
                "overview",
            ),
        ),
        details=(*(_counts(name, side) for name, side in (("Before", before), ("After", after))),),
        trend=months.trend(_monthly_rates(spans), "Not committed of 1,000 transactions", "per 1,000",
                           more_is_better=False),
    )  # fmt: skip


def has_risen(before: pd.DataFrame, after: pd.DataFrame) -> bool:
    """Whether a larger share does not commit: by more than a tenth, and by more than chance explains.

    Conditional binomial test of two rates (Przyborowski & Wilenski 1940), one-sided.
    """
    old, new = int(before["rolled_back"].sum()), int(after["rolled_back"].sum())
    whole_old, whole_new = float(before["transactions"].sum()), float(after["transactions"].sum())
    if new == 0 or new / whole_new <= (1 + RISE) * old / whole_old:
        return False
    tested = scipy.stats.binomtest(new, old + new, whole_new / (whole_old + whole_new), alternative="greater")
    return float(tested.pvalue) < ALPHA


def _side(spans: pd.DataFrame, epoch: Epoch, side: str) -> pd.DataFrame:
    lies = epoch.is_before if side == "before" else epoch.is_after
    rows = zip(spans["since"], spans["until"], strict=True)
    kept = [lies(since.to_pydatetime(), until.to_pydatetime()) for since, until in rows]
    return spans[pd.Series(kept, index=spans.index, dtype=bool)]


def _is_enough(side: pd.DataFrame) -> bool:
    if side.empty:
        return False
    covered = pd.Timedelta((side["until"] - side["since"]).sum())
    return bool(covered >= LEAST_SPAN and side["transactions"].sum() >= LEAST_TRANSACTIONS)


def _per_thousand(side: pd.DataFrame) -> float:
    return float(side["rolled_back"].sum() / side["transactions"].sum() * 1000)


def _monthly_rates(spans: pd.DataFrame) -> list[tuple[datetime, float]]:
    by_month = spans.groupby(spans["until"].map(lambda at: months.month_of(at.to_pydatetime())))
    return [
        (part["until"].max().to_pydatetime(), _per_thousand(part)) for _, part in by_month if part["transactions"].any()
    ]


def _counts(name: str, side: pd.DataFrame) -> str:
    return (
        f"{name}: {count_text(side['rolled_back'].sum())} of {count_text(side['transactions'].sum())} transactions did "
        f"not commit; {count_text(side['deadlocks'].sum())} deadlocks, {count_text(side['conflicts'].sum())} conflicts "
        f"with recovery"
    )
