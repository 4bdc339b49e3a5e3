"""Snapshots: what is kept of a reading, and what has changed between two of them."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from ms5ops import __version__
from ms5ops.history import History, Spooled
from ms5ops.observe.activity import Transactions
from ms5ops.observe.jobs import job_state, overdue_by
from ms5ops.observe.overview import Overview
from ms5ops.queries import version_text
from ms5ops.units import bytes_text, count_text

TABLE_COLUMNS = (
    "table_name", "kind", "row_count", "chunks", "compressed_chunks", "size_bytes", "uncompressed_bytes",
    "backlog_chunks", "backlog_bytes",
)  # fmt: skip
JOB_COLUMNS = (
    "job_id", "kind", "target", "scheduled", "state", "total_runs", "total_failures", "consecutive_failures",
    "overdue_seconds",
)  # fmt: skip
AGGREGATE_COLUMNS = ("aggregate_name", "size_bytes", "lag_seconds")
CHECK_COLUMNS = ("name", "title", "expected", "found", "verdict", "advice")

SIZE_CHANGE_LEAST = 0.01
"""Own choice: a table that grew or shrank by less than a hundredth is not worth a line."""


@dataclass(frozen=True)
class Snapshot:
    """What is kept of one reading. Frames have the columns above; relations are named ``schema.name``.

    ``unread``: the frames (tables, jobs, aggregates) that are empty because they could not be read. ``transactions``
    and ``checks`` (those after a deployment, in their order; None: not made) are kept for the history's queries
    ``transaction_snapshots`` and ``check_snapshots``, and not read back with the rest. ``origin`` of a stored one.
    """

    taken_at: datetime
    postgres_version: str
    timescaledb_version: str
    database_bytes: int | None
    tables: pd.DataFrame
    jobs: pd.DataFrame
    aggregates: pd.DataFrame
    unread: frozenset[str] = frozenset()
    transactions: Transactions | None = None
    checks: pd.DataFrame | None = None
    origin: str | None = None


@dataclass(frozen=True)
class Change:
    """One difference between two snapshots, in words. ``is_worse``: it deserves a look."""

    subject: str
    before: str
    after: str
    is_worse: bool = False


def snapshot_of(overview: Overview) -> Snapshot:
    """What is kept of this reading; sections that could not be read stay empty."""
    now, up_since = overview.now, overview.server.started_at
    backlog = {one.table: one for one in overview.compression.found(())}
    tables = [
        (
            table.qualified, table.kind, table.rows, table.chunks, table.compressed_chunks, table.size_bytes,
            table.uncompressed_bytes,
            backlog[table.qualified].backlog_chunks if table.qualified in backlog else None,
            backlog[table.qualified].backlog_bytes if table.qualified in backlog else None,
        )
        for table in overview.tables.found(())
    ]  # fmt: skip
    jobs = [
        (
            job.job_id, job.kind, job.target, job.scheduled, job_state(job, now, up_since), job.total_runs,
            job.total_failures, job.consecutive_failures,
            None if (late := overdue_by(job, now, up_since)) is None else late.total_seconds(),
        )
        for job in overview.jobs.found(())
    ]  # fmt: skip
    aggregates = [
        (one.aggregate, one.size_bytes, None if (lag := one.lag_behind_source) is None else lag.total_seconds())
        for one in overview.aggregates.found(())
    ]
    size = overview.database_size.value
    return Snapshot(
        taken_at=now,
        postgres_version=".".join(map(str, overview.server.postgres_version)),
        timescaledb_version=version_text(overview.server.version),
        database_bytes=size.size_bytes if size else None,
        tables=pd.DataFrame(tables, columns=list(TABLE_COLUMNS)),
        jobs=pd.DataFrame(jobs, columns=list(JOB_COLUMNS)),
        aggregates=pd.DataFrame(aggregates, columns=list(AGGREGATE_COLUMNS)),
        unread=frozenset({"tables", "jobs", "aggregates"} & set(overview.errors())),
        transactions=overview.transactions.value,
    )


@dataclass(frozen=True)
class Stored:
    """The id of a snapshot that was added; ``waiting``: it is on disk, and the next writer takes it in."""

    snapshot_id: str
    waiting: Spooled | None


def store(history: History, snapshot: Snapshot, *, source: str, environment: str, origin: str) -> Stored:
    """Add a snapshot to the history, all or nothing."""
    snapshot_id = str(uuid.uuid4())
    header = {
        "snapshot_id": snapshot_id,
        "source": source,
        "environment": environment,
        "origin": origin,
        "taken_at": snapshot.taken_at,
        "tool_version": __version__,
        "postgres_version": snapshot.postgres_version,
        "timescaledb_version": snapshot.timescaledb_version,
        "database_bytes": snapshot.database_bytes,
    }
    waiting = history.append(
        {
            "snapshot": pd.DataFrame([header]),
            "snapshot_table": _named(snapshot.tables, "table_name", snapshot_id),
            "snapshot_job": snapshot.jobs.assign(snapshot_id=snapshot_id),
            "snapshot_aggregate": _named(snapshot.aggregates, "aggregate_name", snapshot_id),
            **_transactions(snapshot.transactions, snapshot_id),
            **_checks(snapshot.checks, snapshot_id),
        }
    )
    return Stored(snapshot_id, waiting)


def job_runs_to_store(runs: pd.DataFrame, source: str, origin: str) -> pd.DataFrame:
    """Finished runs of a runs frame (``observe.jobs.RUN_DTYPES``) as rows of the history's table job_run."""
    finished = runs[~runs["is_running"] & runs["start"].notna()]
    return pd.DataFrame(
        {
            "source": source,
            "job_id": finished["job_id"],
            "started_at": finished["start"],
            "finished_at": finished["finish"],
            "succeeded": finished["succeeded"],
            "message": finished["message"],
            "origin": origin,
        }
    )


def stored_snapshot(history: History, source: str, before: datetime) -> Snapshot | None:
    """The newest stored snapshot of a database that was taken before an instant, None where there is none."""
    headers = history.read("snapshots", {"source": source})
    earlier = headers[headers["taken_at"] < before]
    if earlier.empty:
        return None
    header = earlier.iloc[-1]
    parts = {
        name: history.read(name, {"source": source})
        for name in ("storage_snapshots", "job_snapshots", "aggregate_snapshots")
    }
    at = {name: frame[frame["taken_at"] == header["taken_at"]] for name, frame in parts.items()}
    size = header["database_bytes"]
    return Snapshot(
        taken_at=header["taken_at"].to_pydatetime(),
        postgres_version=header["postgres_version"],
        timescaledb_version=header["timescaledb_version"],
        database_bytes=None if pd.isna(size) else int(size),
        origin=header["origin"],
        tables=at["storage_snapshots"][list(TABLE_COLUMNS)],
        jobs=at["job_snapshots"][list(JOB_COLUMNS)],
        aggregates=at["aggregate_snapshots"][list(AGGREGATE_COLUMNS)],
        # The policy set's tables are kept even where they are missing, and TimescaleDB always has jobs of its own.
        unread=frozenset(
            kept for kept, name in (("tables", "storage_snapshots"), ("jobs", "job_snapshots")) if at[name].empty
        ),
    )


def transaction_spans(transactions: pd.DataFrame) -> pd.DataFrame:
    """What happened between neighbouring snapshots: since, until, transactions, rolled_back, deadlocks, conflicts.

    ``transactions``: rows of the history's query transaction_snapshots, of one origin. Only where both counted from the
    same instant and nothing ran backwards: between a reset and the next snapshot nothing is known.
    """
    columns = ["since", "until", "transactions", "rolled_back", "deadlocks", "conflicts"]
    frame = transactions.sort_values("taken_at", ignore_index=True)
    for column in ("taken_at", "counted_since"):
        frame[column] = pd.to_datetime(frame[column], utc=True)  # an empty frame knows no types
    counters = ["committed", "rolled_back", "deadlocks", "conflicts"]
    deltas = frame[counters].astype("float64").diff()
    same = (frame["counted_since"] == frame["counted_since"].shift()) & (deltas >= 0).all(axis=1)
    spans = deltas.assign(
        since=frame["taken_at"].shift(), until=frame["taken_at"],
        transactions=deltas["committed"] + deltas["rolled_back"],
    )  # fmt: skip
    return spans.loc[same, columns].reset_index(drop=True)


def changes(before: Snapshot, after: Snapshot) -> list[Change]:
    """What is different, the worrying first: versions, tables, jobs, aggregates; nothing of what was not read."""
    unread = before.unread | after.unread
    found = [
        *_version_changes(before, after),
        *(() if "tables" in unread else _table_changes(before, after)),
        *(() if "jobs" in unread else _job_changes(before, after)),
        *(
            ()
            if "aggregates" in unread
            else _coming_and_going("Continuous aggregate", before.aggregates, after.aggregates, "aggregate_name")
        ),
    ]
    return sorted(found, key=lambda change: not change.is_worse)


def _version_changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    if before.postgres_version != after.postgres_version:
        yield Change("PostgreSQL", before.postgres_version, after.postgres_version)
    if before.timescaledb_version != after.timescaledb_version:
        yield Change("TimescaleDB", before.timescaledb_version, after.timescaledb_version)


def _table_changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    tables = (_there_or_named(before.tables, after.tables), _there_or_named(after.tables, before.tables))
    yield from _coming_and_going("Table", *tables, "table_name")
    for name, old, new in _pairs(before.tables, after.tables, "table_name"):
        if old["kind"] != new["kind"]:
            yield Change(name, str(old["kind"]), str(new["kind"]), is_worse=new["kind"] == "missing")
        old_size, new_size = old["size_bytes"], new["size_bytes"]
        if not (pd.isna(old_size) or pd.isna(new_size)) and abs(new_size - old_size) > SIZE_CHANGE_LEAST * old_size:
            yield Change(f"Size of {name}", bytes_text(old_size), bytes_text(new_size))
        if old["compressed_chunks"] != new["compressed_chunks"]:
            counts = (count_text(old["compressed_chunks"]), count_text(new["compressed_chunks"]))
            yield Change(f"Compressed chunks of {name}", *counts)
        if new["chunks"] < old["chunks"]:
            yield Change(f"Chunks of {name} (some were dropped)", count_text(old["chunks"]), count_text(new["chunks"]))


def _there_or_named(side: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Without tables that are missing and that the other side does not have: another policy set has named them, and
    nothing has come or gone."""
    return side[(side["kind"] != "missing") | side["table_name"].isin(other["table_name"])]


def _job_changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    yield from _coming_and_going("Job", before.jobs, after.jobs, "job_id")
    for job_id, old, new in _pairs(before.jobs, after.jobs, "job_id"):
        states = {str(old["state"]), str(new["state"])} - {"running"}
        if len(states) > 1:
            target = "" if pd.isna(new["target"]) else f" of {new['target']}"
            is_worse = new["state"] not in ("ok", "running")
            yield Change(f"Job {job_id} ({new['kind']}{target})", str(old["state"]), str(new["state"]), is_worse)


def _coming_and_going(what: str, before: pd.DataFrame, after: pd.DataFrame, key: str) -> Iterator[Change]:
    old, new = set(before[key]), set(after[key])
    for name in sorted(new - old):
        yield Change(f"{what} {name}", "not there", "there")
    for name in sorted(old - new):
        yield Change(f"{what} {name}", "there", "gone", is_worse=True)


def _pairs(
    before: pd.DataFrame, after: pd.DataFrame, key: str
) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    old: dict[str, Any] = {str(row[key]): row for row in before.to_dict("records")}
    new: dict[str, Any] = {str(row[key]): row for row in after.to_dict("records")}
    for name in sorted(set(old) & set(new)):
        yield name, old[name], new[name]


def _transactions(counted: Transactions | None, snapshot_id: str) -> dict[str, pd.DataFrame]:
    """As rows of the history; nothing where they could not be read."""
    if counted is None:
        return {}
    return {"snapshot_transactions": pd.DataFrame([{**vars(counted), "snapshot_id": snapshot_id}])}


def _checks(made: pd.DataFrame | None, snapshot_id: str) -> dict[str, pd.DataFrame]:
    """As rows of the history; nothing where they were not made."""
    if made is None:
        return {}
    return {"snapshot_check": made[list(CHECK_COLUMNS)].assign(snapshot_id=snapshot_id, place=range(len(made)))}


def _named(frame: pd.DataFrame, column: str, snapshot_id: str) -> pd.DataFrame:
    parts = frame[column].astype("str").str.split(".", n=1, expand=True).reindex(columns=[0, 1])
    named = frame.assign(snapshot_id=snapshot_id, schema_name=parts[0])
    named[column] = parts[1]
    return named
