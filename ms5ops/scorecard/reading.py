"""From a server and the history to the scorecard: the only module here that reads."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import pandas as pd

from ms5ops.alerts.delivery import delivered_tests
from ms5ops.benchmark.compare import Comparison, Side, compare
from ms5ops.benchmark.records import Run
from ms5ops.benchmark.sampling import samples_frame
from ms5ops.benchmark.selection import DeploymentSpan
from ms5ops.benchmark.sides import deployment_names, deployment_spans
from ms5ops.benchmark.store import load_results, load_runs, run_headers
from ms5ops.benchmark.suite_files import load_suite
from ms5ops.config import Settings
from ms5ops.control.policy_sets import judged_by
from ms5ops.database import Database
from ms5ops.environments import Connected, Origin, source_id
from ms5ops.history import History
from ms5ops.observe.overview import Overview, reading
from ms5ops.observe.totals import totals
from ms5ops.rollout import journal
from ms5ops.rollout.fit import checks_after
from ms5ops.scorecard.as_of import live_as_of, spans_as_of
from ms5ops.scorecard.before_after import count_slower
from ms5ops.scorecard.card import scorecard
from ms5ops.scorecard.material import (
    PROMISED,
    DeploymentSteps,
    Live,
    Material,
    Runs,
    epoch_of,
    promised_by,
    sides_around,
    sides_by_month,
)
from ms5ops.scorecard.records import Scorecard

END_OF_TIME = datetime.max.replace(tzinfo=UTC)


def read_scorecard(
    settings: Settings,
    connected: Connected,
    overview: Overview | None,
    history: History,
    until: datetime | None = None,
) -> Scorecard:
    """The scorecard of an environment that was just read (``overview``), or as it stood at an earlier instant.

    ``until``: only what had happened by then counts. Without ``overview`` the server could not be read, and what only
    it tells is not measured. Raises HistoryError where the history cannot be read; what the server refuses to tell
    leaves its criteria not measured. Makes the checks after a deployment, which query the server; of an earlier instant
    the last snapshot before it tells what they found.
    """
    database, source = connected.database, source_id(connected)
    now = until or (overview.now if overview else datetime.now(UTC))
    spans = reading(lambda: deployment_spans(database, source))
    live = None if overview is None else _live(connected, overview, is_past=until is not None)
    if until is not None:
        live = None if live is None else live_as_of(live, spans.found(()), until)
        spans = spans if spans.error is not None else replace(spans, value=spans_as_of(spans.found(()), until))
    headers = [one for one in run_headers(history, source) if until is None or one.started_at < until]
    results = load_results(history, [one.run_id for one in headers])
    none = samples_frame({})
    runs = tuple(Run(one, results.get(one.run_id, ()), none) for one in headers)
    stored = history.read_together(
        {
            "storage_snapshots": {"source": source},
            "transaction_snapshots": {"source": source},
            "check_snapshots": {"source": source, "until": until or END_OF_TIME},
        }
    )

    # Of a folder that cannot be read nothing is known, and all groups have to be measured: nothing is met by that.
    promised = reading(lambda: promised_by(load_suite(connected.benchmarks)))

    def material(origin: Origin) -> Material:
        own_runs = tuple(run for run in runs if run.header.origin == origin)
        return Material(
            environment=connected.name,
            origin=origin,
            now=now,
            live=live if origin == connected.origin else None,
            spans=spans,
            runs=own_runs,
            storage=_of(stored["storage_snapshots"], origin, until),
            transactions=_of(stored["transaction_snapshots"], origin, until),
            checks=_of(stored["check_snapshots"], origin, until),
            costs=settings.costs,
            around=cache(lambda: reading(lambda: _around(history, own_runs, spans.found(())))),
            slower_by_month=cache(lambda: reading(lambda: _slower_by_month(history, own_runs, spans.found(())))),
            promised=promised.found(PROMISED),
        )

    every: dict[Origin, None] = dict.fromkeys((connected.origin, "replayed"))
    return scorecard([material(origin) for origin in every])


def _live(connected: Connected, overview: Overview, *, is_past: bool) -> Live:
    policy = reading(lambda: judged_by(connected.name))
    return Live(
        at=overview.now,
        deployments=reading(lambda: _steps(connected.database)),
        # They say how the server stands now, and cost it queries: of the past they say nothing.
        checks=None if is_past else reading(lambda: checks_after(overview.server, policy.get(), overview)),
        totals=totals(overview),
        alert_tests=reading(delivered_tests),
    )


def _of(frame: pd.DataFrame, origin: Origin, until: datetime | None) -> pd.DataFrame:
    own = frame[frame["origin"] == origin]
    return own if until is None else own[own["taken_at"] < until]


def _steps(database: Database) -> tuple[DeploymentSteps, ...]:
    found = []
    for one in journal.deployments(database):
        failed = {key: "failed" for key, status in journal.statuses(database, one.id).items() if status == "failed"}
        # A step that failed and then succeeded is no longer marked so, but its errors stay among the events.
        told = {
            event.operation: event.message
            for event in journal.events(database, one.id)
            if event.level == "error" and event.operation
        }
        found.append(DeploymentSteps(one, tuple(f"{key}: {text}" for key, text in {**failed, **told}.items())))
    return tuple(found)


def _around(history: History, runs: Sequence[Run], spans: Sequence[DeploymentSpan]) -> Comparison | None:
    epoch = epoch_of(spans)
    sides = sides_around([run.header for run in runs], epoch) if epoch else None
    if sides is None:
        return None
    before, after = (load_runs(history, [one.run_id for one in side]) for side in sides)
    names = deployment_names(spans)
    return compare(Side("before Phase 4", before), Side("after Phase 4", after), deployment_names=names)


def _slower_by_month(
    history: History, runs: Sequence[Run], spans: Sequence[DeploymentSpan]
) -> tuple[tuple[datetime, int], ...]:
    epoch = epoch_of(spans)
    months = sides_by_month([run.header for run in runs], epoch) if epoch else ()
    wanted = dict.fromkeys(one.run_id for sides in months for side in sides for one in side)
    loaded = {run.header.run_id: run for run in load_runs(history, list(wanted))}

    def side(name: str, headers: Runs) -> Side:
        return Side(name, tuple(loaded[one.run_id] for one in headers))

    counted = [
        (after[-1].started_at, count_slower(compare(side("before", before), side("after", after))))
        for before, after in months
    ]
    return tuple((at, number) for at, number in counted if number is not None)
