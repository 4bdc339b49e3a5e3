"""Rules over what was kept: snapshots, benchmark runs, verified states. Pure functions, as the rules of the server."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd

from ms5ops.alert_settings import CollectorRule, ErrorsRule, RegressionRule
from ms5ops.alerts.candidate import Candidate
from ms5ops.benchmark.records import Run
from ms5ops.benchmark.run_summary import benchmark_title, value_text
from ms5ops.benchmark.trends import Regression
from ms5ops.control.drift import Drift
from ms5ops.observe.finding import counted
from ms5ops.snapshots import transaction_spans
from ms5ops.units import ago_text, count_text, instant_text

CRITICAL_SLOWDOWN = 2.0
"""Own choice: half the speed is noticed by everybody."""
RECENT = timedelta(hours=1)
USUAL_SPAN = timedelta(days=7)
"""A whole week, so that every weekday is in what is called usual."""
USUAL_LEAST = timedelta(hours=24)
"""Own choice: less than a day of counts knows no night shift, and nothing is called usual by it."""
FAILED = ("failed", "timed out")


def collector(newest: datetime | None, now: datetime, rule: CollectorRule) -> tuple[Candidate, ...]:
    """No snapshot has been stored for longer than ``silent_minutes``, or none ever (``newest`` None)."""
    allowed = timedelta(minutes=rule.silent_minutes)
    if newest is not None and now - newest <= allowed:
        return ()
    sentence = (
        "No snapshot of this database was ever stored: storage growth and trends cannot be told."
        if newest is None
        else f"The last snapshot was stored {ago_text(newest, now)}, at {instant_text(newest)}."
    )
    return (
        Candidate(
            key="collector.silent",
            rule="collector",
            subject="Snapshots",
            severity="warning",
            sentence=sentence,
            next_step="Let the console run, or call python -m ms5ops collect (or watch --collect) from cron.",
            page="health",
            value=None if newest is None else (now - newest).total_seconds(),
            threshold=allowed.total_seconds(),
            unit="seconds",
        ),
    )


def regression(found: Sequence[Regression], now: datetime, rule: RegressionRule) -> tuple[Candidate, ...]:
    """Benchmarks whose level got worse within ``days`` and still is; one condition each, of its newest shift."""
    alerts: dict[str, Candidate] = {}
    for one in sorted(found, key=lambda regression: regression.change.until, reverse=True):
        series, change = one.series, one.change
        newest = series.changes[-1].after
        slowdown = change.before / newest if series.higher_is_better else newest / change.before
        key = f"regression.{series.benchmark}"
        if key in alerts or now - change.until > timedelta(days=rule.days) or slowdown < 1 + rule.slower_by:
            continue
        level = 1 / newest if series.higher_is_better else newest
        title = benchmark_title(series.benchmark)
        why = f" What changed then: {change.event.text}." if change.event else ""
        alerts[key] = Candidate(
            key=key,
            rule="regression",
            subject=title,
            severity="critical" if slowdown >= CRITICAL_SLOWDOWN else "warning",
            sentence=f"{title} got slower, and still is: from {value_text(change.before, series.unit)} to "
            f"{value_text(newest, series.unit)} by the run of {change.until:%Y-%m-%d}.{why}",
            next_step="Compare the runs around that day (Compare); acknowledge it where the new level is accepted.",
            page="compare",
            value=slowdown,
            threshold=1 + rule.slower_by,
            unit="x",
            level=level,
            further_from=level * (1 + rule.slower_by),
        )
    return tuple(alerts.values())


def drift(found: Drift) -> tuple[Candidate, ...]:
    """The database differs from what its last deployment, or rollback, left verified."""
    if not found.differences:
        return ()
    count = len(found.differences)
    more = f" and {count - 3} more" if count > 3 else ""
    return (
        Candidate(
            key="drift.verified",
            rule="drift",
            subject="Policies and schema",
            severity="warning",
            sentence=f"The database has changed since deployment {found.deployment_number} was verified at "
            f"{instant_text(found.verified_at)}: {'; '.join(found.differences[:3])}{more}.",
            next_step="Find out who changed it, and plan again to bring it back (Rollout).",
            page="rollout",
            value=float(count),
            threshold=1.0,
            unit="differences",
        ),
    )


def errors(counts: pd.DataFrame, rule: ErrorsRule) -> tuple[Candidate, ...] | None:
    """Transactions rolled back per hour, well over what was usual in the week before; None where that is not known.

    ``counts``: rows of the history's query transaction_snapshots, of one origin. PostgreSQL counts no failed or
    timed-out statements: each rolls its transaction back, and so does what was rolled back on purpose.
    """
    steps = transaction_spans(counts)
    if steps.empty:
        return None
    steps["hours"] = (steps["until"] - steps["since"]).dt.total_seconds() / 3600
    until = steps["until"].max()
    recent = steps[steps["until"] > until - RECENT]
    since = recent["since"].min()
    before = steps[(steps["until"] <= since) & (steps["since"] >= since - USUAL_SPAN)]
    if before["hours"].sum() < USUAL_LEAST / timedelta(hours=1) or recent["hours"].sum() <= 0:
        return None
    rate = float(recent["rolled_back"].sum() / recent["hours"].sum())
    usual = float(before["rolled_back"].sum() / before["hours"].sum())
    limit = max(rule.least_per_hour, rule.times_usual * usual)
    if rate < limit:
        return ()
    deadlocks = int(recent["deadlocks"].sum())
    also = f" {counted(deadlocks, 'deadlock was', 'deadlocks were')} among the causes." if deadlocks else ""
    return (
        Candidate(
            key="errors.rolled_back",
            rule="errors",
            subject="Failed transactions",
            severity="warning",
            sentence=f"{count_text(rate)} transactions an hour are rolled back, and {_rate(usual)} were usual over the "
            f"week before.{also}",
            next_step="Look in the server's log for failing or cancelled statements, and at Health for who waits.",
            page="health",
            value=rate,
            threshold=limit,
            unit="per hour",
        ),
    )


def failed_benchmarks(newest: Run | None, before: Run | None) -> tuple[Candidate, ...]:
    """Questions of the newest benchmark run that failed or ran into the time limit, and did not in the run before."""
    if newest is None:
        return ()
    earlier = {one.benchmark for one in before.results if one.outcome in FAILED} if before else set()
    failed = [one for one in newest.results if one.outcome in FAILED and one.benchmark not in earlier]
    if not failed:
        return ()
    names = ", ".join(benchmark_title(one.benchmark) for one in failed[:3])
    more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
    return (
        Candidate(
            key="errors.benchmark",
            rule="errors",
            subject="Benchmark queries",
            severity="warning",
            sentence=f"In the benchmark run of {instant_text(newest.header.started_at)} "
            f"{counted(len(failed), 'query', 'queries')} failed or timed out that had not before: {names}{more}.",
            next_step="Read the message of each on Benchmarks.",
            page="benchmarks",
            value=float(len(failed)),
            threshold=1.0,
            unit="queries",
        ),
    )


def _rate(per_hour: float) -> str:
    return count_text(per_hour) if per_hour >= 10 else f"{per_hour:.1f}"
