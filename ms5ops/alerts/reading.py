"""Reads what the rules look at: the server, the history, the benchmark runs, the verified state. Reasons nothing."""

from datetime import datetime
from typing import Any

import pandas as pd

from ms5ops.alerts.judging import Benchmarks, Material
from ms5ops.benchmark.records import Run
from ms5ops.benchmark.sampling import samples_frame
from ms5ops.benchmark.sides import deployment_spans
from ms5ops.benchmark.store import load_results, run_headers
from ms5ops.benchmark.trends import trends
from ms5ops.config import SANDBOX
from ms5ops.control import drift
from ms5ops.control.policy_sets import server_of
from ms5ops.control.service import Service
from ms5ops.environments import Connected, connect, source_id
from ms5ops.errors import ConfigError, Ms5opsError
from ms5ops.history import History
from ms5ops.observe.growth import Outlook, outlook, settled, table_growths
from ms5ops.observe.overview import Overview, read_all, reading

MOST_RUNS = 200
"""Own choice: over so many runs a level is told; older ones say nothing about the last month."""


def read_material(service: Service, environment: str, history: History) -> tuple[Material, str]:
    """What the rules look at, and the origin of the data; ConfigError where the environment is not configured whole."""
    try:
        connected = connect(service.settings, environment)
    except ConfigError:
        raise
    except Ms5opsError as error:  # the sandbox is down
        return _nothing_but(error, service.now()), "simulated" if environment == SANDBOX else "measured"
    try:
        return _read(service, connected, history), connected.origin
    finally:
        connected.database.close()


def _read(service: Service, connected: Connected, history: History) -> Material:
    overview, unreachable = None, None
    try:
        overview = read_all(server_of(connected))
        source = source_id(connected)
    except Ms5opsError as error:
        if connected.name == SANDBOX:
            return _nothing_but(error, service.now())
        unreachable = error
        source = source_id(connected)  # an address: nothing is asked of the server
    now = overview.now if overview else service.now()
    horizon = service.settings.alerts.storage.days_ahead

    def kept_state() -> drift.Drift | None:
        if drift.verified_number(service.store, source) is None:
            return None
        found = service.drift(connected, source)
        if found is None:
            raise Ms5opsError("The database is being changed at this moment.", "Drift is told once that has ended.")
        return found

    return Material(
        now=now,
        overview=overview,
        unreachable=unreachable,
        outlook=reading(lambda: all_tables_ahead(overview, horizon)),
        newest_snapshot=reading(lambda: _newest(history, source, connected.origin)),
        transactions=reading(lambda: _of_origin(history, "transaction_snapshots", source, connected.origin)),
        benchmarks=reading(lambda: _benchmarks(history, source, connected, reachable=overview is not None)),
        drift=reading(kept_state),
    )


def all_tables_ahead(overview: Overview | None, horizon_days: int) -> Outlook:
    """The forecast of all tables together; without their policies, which it rests on, the error that hid them."""
    if overview is None:
        return outlook((), horizon_days)
    tables = [table for table in overview.tables.get() if table.size_bytes is not None]
    chunks = overview.chunks.get()
    has_policies = overview.server.edition != "apache"  # which has none: nothing went wrong
    growths = table_growths(
        settled(overview.growth.get(), tables, chunks, overview.now),
        tables,
        chunks,
        compression=overview.compression.get() if has_policies else (),
        retention=overview.retention.get() if has_policies else (),
        now=overview.now,
    )
    return outlook(growths, horizon_days)


def _newest(history: History, source: str, origin: str) -> datetime | None:
    found = _of_origin(history, "snapshots", source, origin)
    return None if found.empty else found["taken_at"].max().to_pydatetime()


def _of_origin(history: History, name: str, source: str, origin: str) -> pd.DataFrame:
    """Rows of one database: what was replayed says nothing about it now."""
    frame = history.read(name, {"source": source})
    return frame[frame["origin"] == origin]


def _benchmarks(history: History, source: str, connected: Connected, *, reachable: bool) -> Benchmarks:
    headers = [one for one in run_headers(history, source) if one.origin == connected.origin][-MOST_RUNS:]
    results = load_results(history, [one.run_id for one in headers])
    none = samples_frame({})
    runs = [Run(one, results.get(one.run_id, ()), none) for one in headers]
    deployments = deployment_spans(connected.database, source) if reachable and runs else ()
    found = trends(runs, deployments, {one.id: f"Deployment {one.number}" for one in deployments})
    return Benchmarks(found.regressions, runs[-1] if runs else None, runs[-2] if len(runs) > 1 else None)


def _nothing_but(error: Ms5opsError, now: datetime) -> Material:
    def unread() -> Any:
        raise error

    nothing = reading(unread)
    return Material(
        now=now, overview=None, unreachable=error, outlook=nothing, newest_snapshot=nothing, transactions=nothing,
        benchmarks=nothing, drift=nothing,
    )  # fmt: skip
