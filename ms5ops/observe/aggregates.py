"""Continuous aggregates: hierarchy, freshness, what the policy promises, and conflicts with retention."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from ms5ops.errors import PrivilegeMissing, ReadTimeout
from ms5ops.observe.chunks import of_table
from ms5ops.observe.jobs import Job, policy_of
from ms5ops.observe.server import Server, quoted
from ms5ops.observe.tables import Table, table_named

NEWEST_CHUNKS = 3
"""Newest chunks that are searched for the newest row: unbounded, that search took 1.9 to 3.3 s; so bounded, 1.5 ms."""

_TIME_TYPES = ("timestamp with time zone", "timestamp without time zone", "date")


@dataclass(frozen=True)
class Aggregate:
    """One continuous aggregate. ``aggregate`` and ``source`` are ``schema.name``; ``level`` 1 reads a hypertable.

    ``root`` is the hypertable at the bottom. ``watermark`` is the end of the last filled bucket (None: empty, or not
    told by this server). ``newest_source_at``: newest row of the source, or the source's watermark where that is an
    aggregate. ``start_offset`` None with a policy: from the beginning of time. ``source_drop_after`` is the source's.
    """

    aggregate: str
    source: str
    root: str
    level: int
    bucket_text: str | None
    bucket_width: timedelta | None
    materialized_only: bool
    watermark: datetime | None
    newest_source_at: datetime | None
    job_id: int | None
    scheduled: bool
    start_offset: timedelta | None
    end_offset: timedelta | None
    schedule_interval: timedelta | None
    drop_after: timedelta | None
    source_drop_after: timedelta | None
    compression_enabled: bool
    chunks: int
    rows: int | None
    size_bytes: int | None

    @property
    def has_policy(self) -> bool:
        """Whether a refresh job exists."""
        return self.job_id is not None

    @property
    def promised(self) -> timedelta | None:
        """How far behind its source the policy allows it to be: end_offset + schedule_interval + one bucket."""
        if self.schedule_interval is None or self.bucket_width is None:
            return None
        return (self.end_offset or timedelta(0)) + self.schedule_interval + self.bucket_width

    @property
    def lag_behind_source(self) -> timedelta | None:
        """How far the newest source row lies past the watermark; zero where it is covered, None where not known."""
        if self.watermark is None or self.newest_source_at is None:
            return None
        return max(timedelta(0), self.newest_source_at - self.watermark)

    def lag_behind(self, now: datetime) -> timedelta | None:
        """How far the watermark lies behind ``now`` (grows also when no data come in)."""
        return None if self.watermark is None else max(timedelta(0), now - self.watermark)

    @property
    def keeps_promise(self) -> bool | None:
        """Whether it is no further behind its source than the policy allows; None where not known."""
        lag, promised = self.lag_behind_source, self.promised
        return None if lag is None or promised is None else lag <= promised


def read_aggregates(
    server: Server, tables: Sequence[Table], chunks: pd.DataFrame | None, jobs: Sequence[Job]
) -> tuple[Aggregate, ...]:
    """All aggregates, sources before what reads them. FeatureMissing on the Apache edition.

    The newest source row is looked for in the newest chunks only; None where the role may not read the table.
    """
    server.require_community("A continuous aggregate")
    rows = server.rows("aggregates")
    sources = {f"{row['source_schema']}.{row['source_name']}" for row in rows if not row["source_is_aggregate"]}
    newest = {}
    for source in sorted(sources):
        table = table_named(tables, source)
        if table is not None and chunks is not None:
            newest[source] = read_newest_row(server, table, chunks)
    return aggregates_from(rows, tables, jobs, newest)


def read_newest_row(server: Server, table: Table, chunks: pd.DataFrame) -> datetime | None:
    """The newest instant in a hypertable's newest chunks; None where it is empty, or busy, or may not be read.

    Rows from the future (a wrong clock) do not count: nothing could be behind them.
    """
    if not table.is_chunked or table.time_column is None or table.time_type not in _TIME_TYPES:
        return None
    begun = of_table(chunks, table).dropna(subset=["range_start", "range_end"])
    newest = begun[begun["range_start"] <= server.read_at].head(NEWEST_CHUNKS)
    if newest.empty:
        return None
    try:
        rows = server.rows(
            "newest_row",
            {"table": quoted(table.storage_schema, table.storage_name), "time_column": quoted(table.time_column)},
            since=newest["range_start"].min().to_pydatetime(),
            until=min(newest["range_end"].max().to_pydatetime(), server.read_at),
        )
    except (PrivilegeMissing, ReadTimeout):
        return None
    found: datetime | None = rows[0]["newest_at"]
    return found


def aggregates_from(
    rows: Sequence[Mapping[str, Any]],
    tables: Sequence[Table],
    jobs: Sequence[Job],
    newest: Mapping[str, datetime | None],
) -> tuple[Aggregate, ...]:
    """The records for rows of the query ``aggregates``; ``newest`` holds the newest row of each source hypertable."""
    by_name = {f"{row['schema_name']}.{row['view_name']}": row for row in rows}
    found = [
        _aggregate(name, row=row, by_name=by_name, tables=tables, jobs=jobs, newest=newest)
        for name, row in by_name.items()
    ]
    return tuple(sorted(found, key=lambda one: (one.root, one.level, one.bucket_width or timedelta(0), one.aggregate)))


def retention_conflict(aggregate: Aggregate) -> str | None:
    """Why its refresh would erase history that its source has dropped, None where it would not.

    Rule (seen: a refresh over dropped chunks took 2,340 rows down to 1,155): start_offset + schedule_interval must
    not exceed the source's drop_after, and a start_offset of NULL never goes with retention on the source.
    """
    if not aggregate.has_policy or aggregate.source_drop_after is None:
        return None
    days = _days(aggregate.source_drop_after)
    if aggregate.start_offset is None:
        return f"its refresh reaches back without limit, but {aggregate.source} keeps only {days}"
    reach = aggregate.start_offset + (aggregate.schedule_interval or timedelta(0))
    if reach > aggregate.source_drop_after:
        kept = f"{aggregate.source} keeps only {days}"
        return f"its refresh reaches back {_days(reach)} (start_offset + schedule), but {kept}"
    return None


def _days(span: timedelta) -> str:
    return f"{span / timedelta(days=1):.4g} days"


def _aggregate(
    name: str,
    *,
    row: Mapping[str, Any],
    by_name: Mapping[str, Mapping[str, Any]],
    tables: Sequence[Table],
    jobs: Sequence[Job],
    newest: Mapping[str, datetime | None],
) -> Aggregate:
    source = f"{row['source_schema']}.{row['source_name']}"
    root, level = source, 1
    while root in by_name and level <= len(by_name):
        below = by_name[root]
        root, level = f"{below['source_schema']}.{below['source_name']}", level + 1
    refresh = policy_of(jobs, "refresh", name)
    retention = policy_of(jobs, "retention", name)
    source_retention = policy_of(jobs, "retention", source)
    table = table_named(tables, name)
    return Aggregate(
        aggregate=name,
        source=source,
        root=root,
        level=level,
        bucket_text=row["bucket_text"],
        bucket_width=row["bucket_width"],
        materialized_only=row["materialized_only"],
        watermark=row["watermark"],
        newest_source_at=by_name[source]["watermark"] if source in by_name else newest.get(source),
        job_id=refresh.job_id if refresh else None,
        scheduled=bool(refresh and refresh.scheduled),
        start_offset=refresh.start_offset if refresh else None,
        end_offset=refresh.end_offset if refresh else None,
        schedule_interval=refresh.schedule_interval if refresh else None,
        drop_after=retention.drop_after if retention else None,
        source_drop_after=source_retention.drop_after if source_retention else None,
        compression_enabled=bool(table and table.compression_enabled),
        chunks=table.chunks if table else 0,
        rows=table.rows if table else None,
        size_bytes=table.size_bytes if table else None,
    )
