"""Compression: settings, what it saves, what is waiting, and why a chunk compresses badly."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from ms5ops.observe.chunks import instants, of_table
from ms5ops.observe.jobs import Job, handled_until, policy_of
from ms5ops.observe.server import Server
from ms5ops.observe.tables import Table
from ms5ops.units import bytes_text, count_text, percent_text, ratio_text

SAVED_SHARE_WANTED = 0.70
"""Phase 4's validation criterion: compression over 70 % after 7 days."""

ROWS_PER_SEGMENT_WANTED = 100
ROWS_PER_SEGMENT_POOR = 10
"""TimescaleDB's rule of thumb for segment-by: over 100 rows per value and chunk; under 10 compresses badly.
Measured here: 23 rows gave 3.8x, the same data with 550 rows 14.4x."""

BATCH_ROWS = 1_000
"""Rows that TimescaleDB packs into one compressed row at most."""

BLOAT_RATIO = 1.5
"""Live size over stored size from which a compressed chunk is called bloated (own choice)."""

TINY_CHUNK_BYTES = 1_000_000
"""Below this the fixed pages of a chunk's indexes and toast weigh more than its rows (own choice)."""


class BeforeAndAfter:
    """Bytes before and after compression, and what the two come to."""

    before_bytes: int
    after_bytes: int

    @property
    def ratio(self) -> float | None:
        """Before over after (4.0: to a quarter), None where nothing is compressed."""
        return self.before_bytes / self.after_bytes if self.after_bytes else None

    @property
    def saved_share(self) -> float | None:
        """Share of the bytes saved (0.75: to a quarter; negative: to more), None where nothing is compressed."""
        return 1 - self.after_bytes / self.before_bytes if self.before_bytes else None


@dataclass(frozen=True)
class TableCompression(BeforeAndAfter):
    """Compression of one hypertable or aggregate.

    Bytes ``before`` and ``after`` are of its compressed chunks, as stored when each was compressed. ``segments`` is
    the planner's estimate of distinct segment-by values. ``rows_per_segment`` is per chunk: measured on compressed
    chunks where batches are small enough to tell, else estimated (``rows_per_segment_measured`` False), else None.
    ``backlog``: chunks past compress_after that are uncompressed or partial; ``late``: of those, the ones that the
    last run should have done (``jobs.handled_until``). Without a policy there is no backlog.
    """

    table: str
    kind: str
    enabled: bool
    segment_by: tuple[str, ...]
    order_by: tuple[str, ...]
    compress_after: timedelta | None
    job_id: int | None
    scheduled: bool
    chunks: int
    compressed_chunks: int
    partial_chunks: int
    before_bytes: int
    after_bytes: int
    rows_per_batch: float | None
    segments: float | None
    rows_per_segment: float | None
    rows_per_segment_measured: bool
    backlog_chunks: int
    backlog_bytes: int
    late_chunks: int


@dataclass(frozen=True)
class PoorChunk:
    """A compressed chunk that saves too little, or whose stored numbers no longer hold, and why."""

    chunk: str
    range_start: datetime | None
    before_bytes: int
    after_bytes: int
    saved_share: float | None
    reasons: tuple[str, ...]
    causes: tuple[str, ...] = ()
    """A few words for each of ``reasons``, the same for all chunks: keys of ``savings.REMEDIES``."""


def read_compression(
    server: Server, tables: Sequence[Table], chunks: pd.DataFrame, jobs: Sequence[Job], now: datetime
) -> tuple[TableCompression, ...]:
    """One record per hypertable and aggregate. FeatureMissing on the Apache edition."""
    server.require_community("Compression")
    settings = server.rows("compression_settings")
    segments = [
        (row["hypertable_schema"], row["hypertable_name"], name) for row in settings for name in row["segment_by"]
    ]
    schemas, names, columns = zip(*segments, strict=True) if segments else ((), (), ())
    return compression_from(
        tables,
        settings=settings,
        statistics=server.rows("segment_statistics", schemas=list(schemas), tables=list(names), columns=list(columns)),
        chunks=chunks,
        jobs=jobs,
        now=now,
    )


def read_planned_segments(server: Server, tables: Sequence[Table]) -> Mapping[str, float]:
    """How many segments the planned segment-by would have, by the planner's statistics and the table's ``schema.name``.

    Of tables that the policy set compresses and that have no compression yet; absent where statistics do not tell.
    """
    planned = {
        table.storage: (table, table.expected.segment_by)
        for table in tables
        if table.expected and table.expected.segment_by and table.size_bytes and not table.compression_enabled
    }
    named = [(*storage, column) for storage, (_, columns) in planned.items() for column in columns]
    if not named:
        return {}
    schemas, names, columns = zip(*named, strict=True)
    rows = server.rows("segment_statistics", schemas=list(schemas), tables=list(names), columns=list(columns))
    distinct = _distinct(rows)
    counted = {
        table.qualified: segment_count(distinct.get(storage, {}), wanted, table.rows or 0)
        for storage, (table, wanted) in planned.items()
    }
    return {name: count for name, count in counted.items() if count is not None}


def read_live_sizes(server: Server, table: Table, limit: int = 20) -> pd.DataFrame:
    """Live beside stored bytes of the newest compressed chunks: chunk str, range_start, stored_bytes, live_bytes int64.

    QueryMissing on versions newer than this program knows.
    """
    frame = server.frame("live_chunk_sizes", schema=table.storage_schema, table=table.storage_name, limit=limit)
    return pd.DataFrame(
        {
            "chunk": frame["chunk"].astype("str"),
            "range_start": instants(frame["range_start"]),
            "stored_bytes": frame["stored_bytes"].astype("int64"),
            "live_bytes": frame["live_bytes"].fillna(0).astype("int64"),
        }
    )


def compression_from(
    tables: Sequence[Table],
    *,
    settings: Sequence[Mapping[str, Any]],
    statistics: Sequence[Mapping[str, Any]],
    chunks: pd.DataFrame,
    jobs: Sequence[Job],
    now: datetime,
) -> tuple[TableCompression, ...]:
    """The records for rows of ``compression_settings`` and ``segment_statistics``, the chunk frame and the jobs."""
    by_table = {(row["hypertable_schema"], row["hypertable_name"]): row for row in settings}
    distinct = _distinct(statistics)
    return tuple(
        _table_compression(
            table,
            settings=by_table.get(table.storage, {}),
            distinct=distinct.get(table.storage, {}),
            chunks=of_table(chunks, table),
            job=policy_of(jobs, "compression", table.qualified),
            now=now,
        )
        for table in tables
        if table.is_chunked
    )


def _distinct(statistics: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, float]]:
    """Rows of ``segment_statistics`` by table, then by column."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in statistics:
        table = row["hypertable_schema"], row["hypertable_name"]
        found.setdefault(table, {})[row["column_name"]] = row["distinct_values"]
    return found


def chunk_ratios(chunks: pd.DataFrame) -> pd.DataFrame:
    """Compressed chunks over time, oldest first: the chunk frame with ratio, saved_share, rows_per_batch (float64)."""
    frame = chunks[chunks["is_compressed"] & chunks["after_bytes"].notna()].copy()
    before, after = frame["before_bytes"].astype("float64"), frame["after_bytes"].astype("float64")
    frame["ratio"] = before / after.where(after > 0)
    frame["saved_share"] = 1 - after / before.where(before > 0)
    batches = frame["batches"].astype("float64")
    frame["rows_per_batch"] = frame["rows"].astype("float64") / batches.where(batches > 0)
    return frame.sort_values("range_start", ignore_index=True)


def segment_count(distinct: Mapping[str, float], columns: Sequence[str], rows: float) -> float | None:
    """Distinct combinations of the columns by pg_stats.n_distinct (negative: a share of the rows); at most ``rows``."""
    if not columns or any(column not in distinct for column in columns):
        return None
    product = 1.0
    for column in columns:
        value = distinct[column]
        product *= value if value >= 0 else -value * rows
    return max(1.0, min(product, rows)) if rows > 0 else None


def poor_chunks(
    chunks: pd.DataFrame, compression: TableCompression, live: pd.DataFrame | None = None
) -> list[PoorChunk]:
    """Chunks of one table that save less than ``SAVED_SHARE_WANTED``, are partial or bloated; newest first.

    ``live`` (``read_live_sizes``) lets bloat be seen.
    """
    sizes: dict[str, int] = (
        {} if live is None else {str(c): int(b) for c, b in zip(live["chunk"], live["live_bytes"], strict=True)}
    )
    poor = []
    for row in chunk_ratios(chunks).sort_values("range_start", ascending=False).to_dict("records"):
        reasons = _reasons(row, compression, sizes.get(row["chunk"]))
        if reasons:
            share = row["saved_share"]
            start = row["range_start"]
            poor.append(
                PoorChunk(
                    chunk=row["chunk"],
                    range_start=None if pd.isna(start) else start.to_pydatetime(),
                    before_bytes=int(row["before_bytes"]),
                    after_bytes=int(row["after_bytes"]),
                    saved_share=None if pd.isna(share) else float(share),
                    reasons=tuple(text for _, text in reasons),
                    causes=tuple(cause for cause, _ in reasons),
                )
            )
    return poor


def _reasons(
    row: Mapping[Hashable, Any], compression: TableCompression, live_bytes: int | None
) -> list[tuple[str, str]]:
    """The cause in a few words and the whole reason, one pair for each thing that is wrong with the chunk."""
    reasons = []
    saved, per_batch, after = row["saved_share"], row["rows_per_batch"], int(row["after_bytes"])
    if not pd.isna(saved) and saved < SAVED_SHARE_WANTED:
        saves = f"Saves {percent_text(saved)}" if saved >= 0 else f"Takes {percent_text(-saved)} more than before"
        if row["before_bytes"] < TINY_CHUNK_BYTES:
            reasons.append(
                (
                    "tiny chunk",
                    f"{saves}: the chunk is tiny ({bytes_text(row['before_bytes'])} before), so fixed pages outweigh "
                    "rows; use longer chunks.",
                )
            )
        elif not pd.isna(per_batch) and per_batch < ROWS_PER_SEGMENT_WANTED:
            reasons.append(
                (
                    "few rows per segment",
                    f"{saves}: {per_batch:.0f} rows per batch (over {ROWS_PER_SEGMENT_WANTED} compress well); use "
                    "longer chunks or a coarser segment-by.",
                )
            )
        elif not compression.segment_by:
            reasons.append(
                (
                    "no segment by",
                    f"{saves}: there is no segment-by, so rows of different sources are mixed; segment by the entity.",
                )
            )
        else:
            reasons.append(
                (
                    "values compress badly",
                    f"{saves} ({ratio_text(row['ratio'])}): its values compress badly; look at wide text or JSON "
                    "columns.",
                )
            )
    if row["is_partial"]:
        reasons.append(
            (
                "rows added since",
                "Partial: rows came after it was compressed and wait uncompressed; the next compression run takes "
                "them in.",
            )
        )
    if live_bytes is not None and after > 0 and live_bytes > after * BLOAT_RATIO:
        reasons.append(
            (
                "grown since",
                f"Bloated or changed since: takes {bytes_text(live_bytes)} now, {bytes_text(after)} when it was "
                "compressed; recompress it.",
            )
        )
    return reasons


def _table_compression(
    table: Table,
    *,
    settings: Mapping[str, Any],
    distinct: Mapping[str, float],
    chunks: pd.DataFrame,
    job: Job | None,
    now: datetime,
) -> TableCompression:
    segment_by = tuple(settings.get("segment_by", ()))
    stored = chunks[chunks["is_compressed"] & chunks["after_bytes"].notna()]
    batches, rows = int(stored["batches"].sum()), int(stored.loc[stored["batches"].notna(), "rows"].sum())
    per_batch = rows / batches if batches else None
    filled = chunks["rows"].dropna()
    filled = filled[filled > 0]
    segments = segment_count(distinct, segment_by, float(filled.sum()))
    per_segment, measured = _rows_per_segment(per_batch, segments, float(filled.median()) if len(filled) else None)
    backlog = chunks.iloc[0:0]
    late = 0
    after = job.compress_after if job else None
    if job and after is not None:
        waiting = chunks[~chunks["is_compressed"] | chunks["is_partial"]]
        backlog = waiting[waiting["range_end"] < now - after]
        until = handled_until(job, now)
        late = 0 if until is None else int((backlog["range_end"] < until - after).sum())
    return TableCompression(
        table=table.qualified,
        kind=table.kind,
        enabled=table.compression_enabled,
        segment_by=segment_by,
        order_by=tuple(settings.get("order_by", ())),
        compress_after=after,
        job_id=job.job_id if job else None,
        scheduled=bool(job and job.scheduled),
        chunks=table.chunks,
        compressed_chunks=table.compressed_chunks,
        partial_chunks=table.partial_chunks,
        before_bytes=int(stored["before_bytes"].sum()),
        after_bytes=int(stored["after_bytes"].sum()),
        rows_per_batch=per_batch,
        segments=segments,
        rows_per_segment=per_segment,
        rows_per_segment_measured=measured,
        backlog_chunks=len(backlog),
        backlog_bytes=int(backlog["size_bytes"].sum()),
        late_chunks=late,
    )


def _rows_per_segment(
    per_batch: float | None, segments: float | None, per_chunk: float | None
) -> tuple[float | None, bool]:
    """A segment of n rows makes ceil(n / 1,000) batches: well under 1,000, rows per batch are rows per segment."""
    if per_batch is not None and per_batch < BATCH_ROWS / 2:
        return per_batch, True
    if segments and per_chunk:
        return per_chunk / segments, False
    return None, False


def describe_rows_per_segment(compression: TableCompression) -> str | None:
    """A sentence for people on whether segments hold enough rows, None where it is not known."""
    value = compression.rows_per_segment
    if value is None:
        return None
    how = "measured" if compression.rows_per_segment_measured else "estimated"
    verdict = (
        "too few to compress"
        if value < ROWS_PER_SEGMENT_POOR
        else "few; longer chunks compress better"
        if value < ROWS_PER_SEGMENT_WANTED
        else "enough"
    )
    return f"{count_text(value)} rows per segment and chunk ({how}): {verdict}."
