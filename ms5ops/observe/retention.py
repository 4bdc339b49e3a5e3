"""Retention: what is dropped when, when it last happened, and what waits to be dropped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from ms5ops.observe.chunks import of_table
from ms5ops.observe.jobs import Job, handled_until, policy_of
from ms5ops.observe.tables import Table


@dataclass(frozen=True)
class TableRetention:
    """Retention of one hypertable or aggregate; ``drop_after`` None: rows are kept for ever.

    ``eligible``: chunks wholly older than drop_after; ``late``: those that the last run should
    have dropped (``jobs.handled_until``).
    """

    table: str
    kind: str
    job_id: int | None
    drop_after: timedelta | None
    scheduled: bool
    next_start: datetime | None
    last_start: datetime | None
    last_succeeded: bool | None
    chunks: int
    oldest: datetime | None
    eligible_chunks: int
    eligible_bytes: int
    late_chunks: int


def read_retention(
    tables: Sequence[Table], chunks: pd.DataFrame, jobs: Sequence[Job], now: datetime
) -> tuple[TableRetention, ...]:
    """One record per hypertable and aggregate, out of the chunk frame and the jobs (no query of its own)."""
    return tuple(
        _table_retention(table, of_table(chunks, table), policy_of(jobs, "retention", table.qualified), now)
        for table in tables
        if table.is_chunked
    )


def _table_retention(table: Table, chunks: pd.DataFrame, job: Job | None, now: datetime) -> TableRetention:
    after = job.drop_after if job else None
    eligible = chunks[chunks["range_end"] <= now - after] if after is not None else chunks.iloc[0:0]
    until = handled_until(job, now) if job else None
    late = eligible["range_end"] <= until - after if until is not None and after is not None else None
    oldest = chunks["range_start"].min()
    return TableRetention(
        table=table.qualified,
        kind=table.kind,
        job_id=job.job_id if job else None,
        drop_after=after,
        scheduled=bool(job and job.scheduled),
        next_start=job.next_start if job else None,
        last_start=job.last_start if job else None,
        last_succeeded=job.last_succeeded if job else None,
        chunks=table.chunks,
        oldest=None if pd.isna(oldest) else oldest.to_pydatetime(),
        eligible_chunks=len(eligible),
        eligible_bytes=int(eligible["size_bytes"].sum()),
        late_chunks=0 if late is None else int(late.sum()),
    )
