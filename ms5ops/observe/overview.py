"""One reading of everything. A section that fails carries its error, and the others still work."""

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Generic, TypeVar

import pandas as pd

from ms5ops.errors import Ms5opsError, SectionDefect
from ms5ops.observe.activity import Activity, Transactions, read_activity, read_transactions
from ms5ops.observe.aggregates import Aggregate, read_aggregates
from ms5ops.observe.chunks import daily_growth, plain_growth, read_chunks
from ms5ops.observe.compression import TableCompression, read_compression, read_planned_segments
from ms5ops.observe.indexes import IndexReading, read_indexes
from ms5ops.observe.jobs import RUNS_KEPT, Job, read_job_runs, read_jobs
from ms5ops.observe.locks import LockBudget, lock_budget
from ms5ops.observe.retention import TableRetention, read_retention
from ms5ops.observe.server import Server, probe_server
from ms5ops.observe.settings import Setting, read_settings
from ms5ops.observe.tables import DatabaseSize, Table, read_database_size, read_plain_growth, read_tables

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading(Generic[T]):
    """One section: its value, or the error that kept it from being read; when, and how long it took."""

    value: T | None
    error: Ms5opsError | None
    read_at: datetime
    seconds: float

    def get(self) -> T:
        """The value; raises the section's error where it has none."""
        if self.error is not None:
            raise self.error
        assert self.value is not None  # noqa: S101  # one of the two is always set
        return self.value

    def found(self, otherwise: T) -> T:
        """The value, or something empty in its place."""
        return otherwise if self.value is None else self.value


@dataclass(frozen=True)
class Overview:
    """All sections. ``now`` is the server's clock; every judgement is made against it."""

    server: Server
    now: datetime
    settings: Reading[tuple[Setting, ...]]
    chunks: Reading[pd.DataFrame]
    tables: Reading[tuple[Table, ...]]
    database_size: Reading[DatabaseSize]
    growth: Reading[pd.DataFrame]
    jobs: Reading[tuple[Job, ...]]
    job_runs: Reading[pd.DataFrame]
    compression: Reading[tuple[TableCompression, ...]]
    planned_segments: Reading[Mapping[str, float]]
    retention: Reading[tuple[TableRetention, ...]]
    aggregates: Reading[tuple[Aggregate, ...]]
    indexes: Reading[IndexReading]
    activity: Reading[Activity]
    locks: Reading[LockBudget]
    transactions: Reading[Transactions]

    def sections(self) -> dict[str, Reading[Any]]:
        """The readings by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, Reading)}

    def errors(self) -> dict[str, Ms5opsError]:
        """The sections that could not be read."""
        return {name: reading.error for name, reading in self.sections().items() if reading.error is not None}


def read_all(server: Server) -> Overview:
    """Read every section once. Raises only where the server cannot be reached at all."""
    server = replace(probe_server(server.database, server.schema, server.policy), policy_doubt=server.policy_doubt)
    now = server.read_at
    settings = reading(lambda: read_settings(server))
    chunks = reading(lambda: read_chunks(server))
    tables = reading(lambda: read_tables(server, chunks.value))
    jobs = reading(lambda: read_jobs(server, tables.get()))
    indexes = reading(lambda: read_indexes(server, tables.get()))
    return Overview(
        server=server,
        now=now,
        settings=settings,
        chunks=chunks,
        tables=tables,
        database_size=reading(lambda: read_database_size(server)),
        growth=reading(lambda: read_growth(server, chunks.get(), tables.get(), now)),
        jobs=jobs,
        job_runs=reading(lambda: read_job_runs(server, jobs.get(), now - RUNS_KEPT)),
        compression=reading(lambda: read_compression(server, tables.get(), chunks.get(), jobs.get(), now)),
        planned_segments=reading(lambda: read_planned_segments(server, tables.get())),
        retention=reading(lambda: _retention(server, tables.get(), chunks.get(), jobs.get(), now)),
        aggregates=reading(lambda: read_aggregates(server, tables.get(), chunks.value, jobs.get())),
        indexes=indexes,
        activity=reading(lambda: read_activity(server)),
        locks=reading(lambda: lock_budget(tables.get(), indexes.get().indexes, settings.get())),
        transactions=reading(lambda: read_transactions(server)),
    )


def read_growth(server: Server, chunks: pd.DataFrame, tables: tuple[Table, ...], now: datetime) -> pd.DataFrame:
    """Growth per day of hypertables (from chunks) and plain expected tables (estimated): ``chunks.GROWTH_DTYPES``."""
    parts = [daily_growth(chunks, tables, now), plain_growth(read_plain_growth(server, tables), tables)]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def reading(read: Callable[[], T]) -> Reading[T]:
    """Run one reader, keeping its error instead of raising it: one section's defect must not take the others along."""
    began, at = time.perf_counter(), datetime.now(UTC)
    try:
        return Reading(read(), None, at, time.perf_counter() - began)
    except Ms5opsError as error:
        return Reading(None, error, at, time.perf_counter() - began)
    except Exception as error:  # shown as the section's error, and logged whole
        log.exception("A section could not be read")
        defect = SectionDefect(
            f"The console has a defect here ({type(error).__name__}).",
            "The other sections go on; report it with the log.",
        )
        return Reading(None, defect, at, time.perf_counter() - began)


def as_plain(value: Any) -> Any:  # noqa: PLR0911  # one return per kind of value
    """Records as JSON values: instants in ISO, intervals in seconds, frames as their length.

    What a record's own text leaves out (a connection, the policy set) is left out here, too.
    """
    if isinstance(value, Reading):
        kept = value.error if value.value is None else value.value
        return {"value": as_plain(kept), "read_at": as_plain(value.read_at), "seconds": round(value.seconds, 4)}
    if isinstance(value, Ms5opsError):
        return {"error": type(value).__name__, "happened": value.happened, "next_step": value.next_step}
    if is_dataclass(value) and not isinstance(value, type):
        kept_fields = (field.name for field in fields(value) if field.repr)
        return {name: as_plain(getattr(value, name)) for name in kept_fields}
    if isinstance(value, pd.DataFrame):
        return {"rows": len(value)}
    if isinstance(value, Mapping):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(item) for item in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value


def long_lists(overview: Overview) -> dict[str, list[dict[str, Any]]]:
    """The sections that are frames (chunks, growth, job_runs), row by row as JSON values, instants in ISO."""
    frames = {name: one.value for name, one in overview.sections().items() if isinstance(one.value, pd.DataFrame)}
    return {
        name: json.loads(frame.to_json(orient="records", date_format="iso", date_unit="us"))
        for name, frame in frames.items()
    }


def _retention(
    server: Server, tables: tuple[Table, ...], chunks: pd.DataFrame, jobs: tuple[Job, ...], now: datetime
) -> tuple[TableRetention, ...]:
    server.require_community("A retention policy")
    return read_retention(tables, chunks, jobs, now)
