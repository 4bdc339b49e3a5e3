"""What waits to be compressed: the state of every chunk, since when it is due, and when the next run takes it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd

from ms5ops.observe.chunks import of_table
from ms5ops.observe.compression import TableCompression
from ms5ops.observe.jobs import Job, handled_until, policy_of
from ms5ops.observe.tables import Table, short_name
from ms5ops.units import interval_text

CHUNK_STATES = ("compressed", "not yet due", "waiting", "late", "no policy")
"""``waiting``: past compress_after, and the next run takes it. ``late``: the last run should have taken it already."""


def chunk_states(
    chunks: pd.DataFrame, tables: Sequence[Table], jobs: Sequence[Job], now: datetime, schema: str
) -> pd.DataFrame:
    """The chunk frame of all hypertables, and of aggregates with a policy, with table, state and due_since.

    ``state`` is one of CHUNK_STATES; ``due_since`` (instant) is when a waiting or late chunk passed compress_after.
    """
    parts = []
    for table in tables:
        job = policy_of(jobs, "compression", table.qualified) if table.is_chunked else None
        if not table.is_chunked or (table.kind != "hypertable" and job is None):
            continue
        own = of_table(chunks, table)
        own["table"] = short_name(table.qualified, schema)
        own["state"] = "no policy"
        due = pd.Series(False, index=own.index)
        if job and job.compress_after is not None:
            own["state"] = "not yet due"
            due = own["range_end"] < now - job.compress_after
            own.loc[due, "state"] = "waiting"
            until = handled_until(job, now)
            if until is not None:
                own.loc[own["range_end"] < until - job.compress_after, "state"] = "late"
        # A partial chunk counts as uncompressed only where it is due again.
        own.loc[own["is_compressed"] & ~(own["is_partial"] & due), "state"] = "compressed"
        after = job.compress_after if job and job.compress_after else timedelta(0)
        own["due_since"] = (own["range_end"] + after).where(own["state"].isin(("waiting", "late")))
        parts.append(own)
    columns = [*chunks.columns, "table", "state", "due_since"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def state_totals(states: pd.DataFrame) -> pd.DataFrame:
    """Chunks and bytes of ``chunk_states`` by table and state: table, state, chunks, size_bytes, share of chunks."""
    if states.empty:
        return pd.DataFrame(columns=["table", "state", "chunks", "size_bytes", "share"])
    grouped = states.groupby(["table", "state"], sort=False)
    totals = grouped.agg(chunks=("chunk", "size"), size_bytes=("size_bytes", "sum")).reset_index()
    totals["share"] = totals["chunks"] / totals.groupby("table", sort=False)["chunks"].transform("sum")
    return totals


def waiting_chunks(states: pd.DataFrame, at_most: int = 1_000) -> pd.DataFrame:
    """The waiting and late chunks, longest due first: table, chunk, range_start, range_end, size_bytes, why, due_since,
    is_late."""
    frame = states[states["state"].isin(("waiting", "late"))].copy()
    frame["why"] = "uncompressed"
    frame.loc[frame["is_partial"].astype("bool"), "why"] = "compressed, with new rows beside"
    frame["is_late"] = frame["state"] == "late"
    return frame.sort_values("due_since", ignore_index=True).head(at_most)[
        ["table", "chunk", "range_start", "range_end", "size_bytes", "why", "due_since", "is_late"]
    ]


def oldest_wait(states: pd.DataFrame, now: datetime) -> timedelta | None:
    """For how long the longest waiting chunk has been due; None where none waits."""
    due = states["due_since"].dropna() if len(states) else states.get("due_since", pd.Series(dtype="object"))
    return None if due.empty else now - due.min().to_pydatetime()


def next_runs(compression: Sequence[TableCompression], jobs: Sequence[Job], schema: str) -> pd.DataFrame:
    """Backlog and compression job per table with a policy.

    Columns: table, compress_after text, backlog_chunks, late_chunks int64, backlog_bytes int64, last_start, next_start
    instants, schedule str.
    """
    rows = []
    for one in compression:
        job = policy_of(jobs, "compression", one.table)
        if job is None:
            continue
        rows.append(
            {
                "table": short_name(one.table, schema),
                "compress_after": interval_text(one.compress_after),
                "backlog_chunks": one.backlog_chunks,
                "late_chunks": one.late_chunks,
                "backlog_bytes": one.backlog_bytes,
                "last_start": job.last_start,
                "next_start": job.next_start if job.scheduled else None,
                "schedule": f"every {interval_text(job.schedule_interval)}" if job.scheduled else "paused",
            }
        )
    frame = pd.DataFrame(
        rows,
        columns=["table", "compress_after", "backlog_chunks", "late_chunks", "backlog_bytes", "last_start",
                 "next_start", "schedule"],
    )  # fmt: skip
    for column in ("last_start", "next_start"):
        frame[column] = pd.to_datetime(frame[column], utc=True)
    return frame
