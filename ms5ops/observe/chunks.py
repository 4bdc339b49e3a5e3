"""Chunks of hypertables, and what they say about growth over time."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pandas as pd

from ms5ops.observe.server import Server
from ms5ops.observe.tables import PlainGrowth, Table, by_storage, uncompressed_bytes

INSTANT = "datetime64[us, UTC]"
DTYPES: dict[str, str] = {
    "hypertable_schema": "str",
    "hypertable_name": "str",
    "chunk_schema": "str",
    "chunk": "str",
    "range_start": INSTANT,
    "range_end": INSTANT,
    "is_compressed": "bool",
    "is_partial": "bool",
    "is_frozen": "bool",
    "size_bytes": "int64",
    "index_bytes": "int64",
    "before_bytes": "Int64",
    "after_bytes": "Int64",
    "rows": "Int64",
    "batches": "Int64",
}
"""Columns of a chunk frame. ``hypertable_*`` name the storage (``Table.storage``). ``size_bytes`` is now (of a
compressed chunk: as stored when it was compressed, with its empty shell); ``before_bytes``, ``after_bytes`` and
``batches`` (compressed rows, of up to 1,000 rows each) are missing for uncompressed chunks; ranges are missing
for integer time. ``rows`` are the statistics', of a compressed chunk those it had when it was compressed."""

GROWTH_DTYPES: dict[str, str] = {
    "table": "str",
    "day": INSTANT,
    "size_bytes": "int64",
    "uncompressed_bytes": "int64",
    "rows": "int64",
    "is_estimate": "bool",
}
"""Columns of a growth frame: what the rows of one UTC day take in one table, now and as if uncompressed."""


def read_chunks(server: Server, table: Table | None = None, limit: int | None = None) -> pd.DataFrame:
    """Chunks, newest first, of one table or of all; columns and dtypes as in ``DTYPES``."""
    schema, name = table.storage if table else (None, None)
    return chunk_frame(server.frame("chunks", schema=schema, table=name, limit=limit))


def chunk_frame(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the query ``chunks`` with the documented dtypes."""
    frame = pd.DataFrame(index=rows.index)
    for column, dtype in DTYPES.items():
        values = rows[column] if column in rows else pd.Series(index=rows.index, dtype="object")
        frame[column] = instants(values) if dtype == INSTANT else values.astype(dtype)  # type: ignore[call-overload]
    return frame


def instants(values: pd.Series) -> pd.Series:
    """Python datetimes (or None) as a column of UTC instants to the microsecond."""
    return pd.Series(pd.to_datetime(values, utc=True), index=values.index).astype(pd.DatetimeTZDtype("us", "UTC"))


def of_table(chunks: pd.DataFrame, table: Table) -> pd.DataFrame:
    """The chunks of one table out of a frame of all."""
    wanted = (chunks["hypertable_schema"] == table.storage_schema) & (chunks["hypertable_name"] == table.storage_name)
    return chunks[wanted].reset_index(drop=True)


def daily_growth(chunks: pd.DataFrame, tables: Sequence[Table], now: datetime) -> pd.DataFrame:
    """Bytes and rows per UTC day and table, by the time range that chunks cover (``GROWTH_DTYPES``).

    A chunk over several days, or over part of one, is spread evenly over its range; the newest one ends ``now``.
    """
    known = by_storage(tables)
    frame = chunks.dropna(subset=["range_start", "range_end"])
    parts: list[tuple[str, datetime, float, float, float, bool]] = []
    spans = zip(
        frame["hypertable_schema"], frame["hypertable_name"], frame["range_start"], frame["range_end"],
        frame["size_bytes"], uncompressed_bytes(frame), frame["rows"].fillna(0), strict=True,
    )  # fmt: skip
    for schema, name, start, end, size, before, rows in spans:
        table = known.get((schema, name))
        if table is None:
            continue
        last = min(end, now) if start < now else end
        for day, share in day_shares(start.to_pydatetime(), pd.Timestamp(last).to_pydatetime()):
            parts.append((table.qualified, day, size * share, before * share, rows * share, False))
    return _growth_frame(parts)


def plain_growth(histograms: Sequence[PlainGrowth], tables: Sequence[Table]) -> pd.DataFrame:
    """As ``daily_growth`` for plain tables, estimated: equal rows between histogram bounds, equal bytes per row.

    ANALYZE reads a sample of 30,000 rows by default and keeps 100 bins, so that days of a table with regular
    inserts come out within a few per cent, and lone bursts are smeared. Ends at the last ANALYZE.
    """
    known = {table.qualified: table for table in tables}
    parts: list[tuple[str, datetime, float, float, float, bool]] = []
    for histogram in histograms:
        table, bins = known.get(histogram.table), len(histogram.bounds) - 1
        if table is None or bins < 1:
            continue
        for start, end in zip(histogram.bounds, histogram.bounds[1:], strict=False):
            for day, share in day_shares(_aware(start), _aware(end)):
                size, rows = (table.size_bytes or 0) * share / bins, (table.rows or 0) * share / bins
                parts.append((table.qualified, day, size, size, rows, True))
    return _growth_frame(parts)


def day_shares(start: datetime, end: datetime) -> list[tuple[datetime, float]]:
    """The UTC days that a span touches, each with its share of the span; an empty span lies on its first day."""
    day = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if end <= start:
        return [(day, 1.0)]
    whole, shares = (end - start).total_seconds(), []
    while day < end:
        following = day + timedelta(days=1)
        inside = (min(end, following) - max(start, day)).total_seconds()
        shares.append((day, inside / whole))
        day = following
    return shares


def _growth_frame(parts: list[tuple[str, datetime, float, float, float, bool]]) -> pd.DataFrame:
    frame = pd.DataFrame(parts, columns=list(GROWTH_DTYPES))
    summed = frame.groupby(["table", "day", "is_estimate"], as_index=False).sum() if parts else frame
    result = pd.DataFrame(index=summed.index)
    for column, dtype in GROWTH_DTYPES.items():
        values = summed[column]
        if dtype == INSTANT:
            result[column] = instants(values)
        else:
            result[column] = (values.astype(float).round() if dtype == "int64" else values).astype(dtype)  # type: ignore[call-overload]
    return result.sort_values(["table", "day"], ignore_index=True)


def _aware(instant: datetime) -> datetime:
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
