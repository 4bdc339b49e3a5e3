"""From a server, the history, the journal and the logs to a month's facts: the only module of reports that reads."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pandas as pd

from ms5ops.access.audit import Entry
from ms5ops.access.manage import read_audit
from ms5ops.access.roles import Actor, may
from ms5ops.alerts.store import alert_store, events
from ms5ops.benchmark.compare import Comparison, Side, compare
from ms5ops.benchmark.records import Run, RunHeader
from ms5ops.benchmark.sampling import samples_frame
from ms5ops.benchmark.selection import DeploymentSpan, select
from ms5ops.benchmark.sides import deployment_names, deployment_spans
from ms5ops.benchmark.store import load_results, load_runs, run_headers
from ms5ops.benchmark.trends import Trends, trends
from ms5ops.config import Settings
from ms5ops.environments import Connected, Origin, source_id
from ms5ops.errors import BenchmarkError
from ms5ops.history import History
from ms5ops.observe.overview import Overview, Reading, reading
from ms5ops.reports.month import Month, ReportError, month_spans
from ms5ops.reports.month_facts import (
    AlertLine,
    Change,
    JobFacts,
    Part,
    StorageFacts,
    alert_lines,
    audited,
    change_of,
    chosen,
    is_of,
    job_facts,
    storage_facts,
)
from ms5ops.rollout import journal
from ms5ops.scorecard.months import month_of
from ms5ops.scorecard.reading import read_scorecard
from ms5ops.scorecard.records import Scorecard

ALL = 1_000_000
"""More events of alerts, and deployments, than any store holds."""


@dataclass(frozen=True)
class Benchmarks:
    """The runs of the month against those of the month before, and how levels went over all months until then."""

    compared: Comparison
    trends: Trends


@dataclass(frozen=True)
class MonthFacts:
    """All that a month's report says. ``made_at``: when it was read; ``audit``: None where it may not be read."""

    environment: str
    source: str
    schema: str
    origin: Origin
    month: Month
    made_at: datetime
    is_over: bool
    scorecard: Scorecard
    storage: Part[StorageFacts]
    jobs: Part[JobFacts]
    benchmarks: Part[Benchmarks]
    changes: Reading[tuple[Change, ...]]
    audit: Reading[tuple[Entry, ...]] | None
    alerts: Reading[tuple[AlertLine, ...]]


def read_month(
    settings: Settings,
    connected: Connected,
    overview: Overview | None,
    history: History,
    month: Month,
    *,
    reader: Actor | None = None,
) -> MonthFacts:
    """What is known of an environment's month; the audit log only where ``reader`` may read it.

    ``overview``: a reading of just now; None where the server could not be read. Raises ReportError where nothing of
    that month is stored, HistoryError where the history cannot be read.
    """
    # Not the server's clock: while months are replayed, that is simulated.
    source, now = source_id(connected), datetime.now(UTC)
    is_over = month.ends <= now
    stored = history.read_together(
        {
            "storage_snapshots": {"source": source},
            "job_snapshots": {"source": source},
            "job_runs": {"source": source, "since": month.begins},
        }
    )
    headers = run_headers(history, source)
    spans = reading(lambda: deployment_spans(connected.database, source))
    changes = reading(lambda: _changes(connected, spans.get(), month))
    known = _months(stored["storage_snapshots"], headers)
    if month.name not in known and not changes.found(()):
        instead = f", only of {month_spans(known)}" if known else ""
        raise ReportError(
            f"Nothing of {month.title} is stored for {connected.name}{instead}.",
            f"For the newest: --month {known[-1]}." if known else
            "The console stores snapshots as it runs; `python -m ms5ops collect` stores one now, and from cron.",
        )  # fmt: skip
    origins: tuple[Origin, ...] = tuple(dict.fromkeys((connected.origin, "replayed")))

    def own(name: str, origin: Origin) -> pd.DataFrame:
        return stored[name][stored[name]["origin"] == origin]

    def storage(origin: Origin) -> StorageFacts | None:
        return storage_facts(own("storage_snapshots", origin), month)

    def jobs(origin: Origin) -> JobFacts | None:
        return job_facts(own("job_snapshots", origin), own("job_runs", origin), month)

    return MonthFacts(
        environment=connected.name,
        source=source,
        schema=connected.schema,
        origin=connected.origin,
        month=month,
        made_at=now,
        is_over=is_over,
        scorecard=read_scorecard(settings, connected, overview, history, month.ends if is_over else None),
        storage=chosen(origins, storage, lambda one: one.since is not None),
        jobs=chosen(origins, jobs, lambda one: one.since is not None),
        benchmarks=_benchmarks(history, headers, spans.found(()), origins, month),
        changes=changes,
        audit=reading(lambda: audited(read_audit(reader), connected.name, month))
        if may(reader, "read audit")
        else None,
        alerts=reading(lambda: alert_lines(events(alert_store(), connected.name, ALL), month)),
    )


def stored_months(history: History, source: str) -> tuple[str, ...]:
    """The months of which a database has snapshots or benchmark runs, oldest first."""
    return _months(history.read("snapshots", {"source": source}), run_headers(history, source))


def _months(snapshots: pd.DataFrame, headers: Sequence[RunHeader]) -> tuple[str, ...]:
    taken = {month_of(at.to_pydatetime()) for at in snapshots["taken_at"].unique()}
    return tuple(sorted(taken | {month_of(one.started_at) for one in headers}))


def _changes(connected: Connected, spans: Sequence[DeploymentSpan], month: Month) -> tuple[Change, ...]:
    undone = {one.id: one.undone_at for one in spans}
    own = [
        one
        for one in journal.deployments(connected.database, ALL)
        if is_of(one, undone.get(str(one.id)), month)
    ]  # fmt: skip
    return tuple(
        change_of(one, journal.operations(connected.database, one.id), undone.get(str(one.id)))
        for one in sorted(own, key=lambda one: one.started_at)
    )


def _benchmarks(
    history: History,
    headers: Sequence[RunHeader],
    spans: Sequence[DeploymentSpan],
    origins: Sequence[Origin],
    month: Month,
) -> Part[Benchmarks]:
    reasons = []
    names = deployment_names(spans)
    for origin in origins:
        own = [one for one in headers if one.origin == origin and one.started_at < month.ends]
        lacking = [one.title for one in (month.before, month) if not any(one.holds(run.started_at) for run in own)]
        if lacking:
            reasons.append(f"No benchmark run was stored in {' or '.join(lacking)}")
            continue
        try:
            before, after = [
                Side(one.title, load_runs(history, [run.run_id for run in runs_of(own, one)]))
                for one in (month.before, month)
            ]
            compared = compare(before, after, deployment_names=names)
        except BenchmarkError as error:
            reasons.append(error.happened.rstrip("."))
            continue
        return Part(Benchmarks(compared, trends(_without_samples(history, own), spans, names)), origin)
    return Part(None, missing=f"{reasons[0]}, so there is nothing to compare.")


def runs_of(headers: Sequence[RunHeader], month: Month) -> tuple[RunHeader, ...]:
    """The runs that stand for a month; only its own, whatever others are labelled."""
    return select(month.name, [replace(run, label=None) for run in headers if month.holds(run.started_at)]).headers


def _without_samples(history: History, headers: Sequence[RunHeader]) -> list[Run]:
    results = load_results(history, [one.run_id for one in headers])
    none = samples_frame({})
    return [Run(one, results.get(one.run_id, ()), none) for one in headers]
