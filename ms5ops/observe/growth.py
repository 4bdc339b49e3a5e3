"""How each table grows: which days are known whole, what arrived on them, and what becomes of it as it ages.

Turns a growth frame (``chunks.GROWTH_DTYPES``), the chunks and the policies into what ``forecast`` takes. The
running day and a table's first day hold only part of a day, and would look like a slump: they age with the rest,
but no rate is taken from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from ms5ops.observe import forecast
from ms5ops.observe.compression import TableCompression
from ms5ops.observe.forecast import Lifecycle
from ms5ops.observe.retention import TableRetention
from ms5ops.observe.tables import Table, uncompressed_bytes

PAST_DAYS_KEPT = 3_660
"""Older days count as size, but not as days: a single row of the year 1 would make 700,000 of them."""

FINE_DAYS = 7.0
"""Chunks up to a week say when data begin; those of aggregates (30 or 365 days) begin long before their data."""

MAJOR_SHARE = 0.95
"""The largest tables that make up this share of the arrivals decide which days the total is known for."""

DAY = timedelta(days=1)


@dataclass(frozen=True)
class TableGrowth:
    """One table's past and its fate.

    ``stored_bytes``: on disk at the end of ``as_of``, the last whole UTC day. ``past``: uncompressed bytes per day of
    all days that still lie there, ``past_stored``: what they take now, ``arrivals``: uncompressed bytes of the complete
    days only, ``rows``: on these; all indexed by ``datetime.date`` without gaps, perhaps empty. ``block_days``: how
    many days share one observation (the chunk interval).
    """

    table: str
    kind: str
    size_bytes: int
    stored_bytes: int
    as_of: date
    past: pd.Series
    past_stored: pd.Series
    arrivals: pd.Series
    rows: pd.Series
    is_estimate: bool
    block_days: float
    lifecycle: Lifecycle

    @property
    def bytes_per_day(self) -> float | None:
        """Mean arrivals of the last whole weeks; None under a week."""
        month = forecast.bytes_per_month(self.arrivals)
        return None if month is None else month / forecast.DAYS_PER_MONTH

    def ahead(self, horizon_days: int) -> pd.DataFrame:
        """Its ``forecast.forecast``; no rows where too few days are known."""
        if self.past.empty:
            return forecast.no_forecast()
        return forecast.forecast(
            self.arrivals,
            self.stored_bytes,
            self.lifecycle,
            horizon_days=horizon_days,
            past=self.past,
            past_stored=self.past_stored,
            as_of=self.as_of,
            block_days=self.block_days,
        )


@dataclass(frozen=True)
class Outlook:
    """Several tables' forecast as one, from the end of ``as_of`` on, when they held ``stored_bytes``.

    ``frame`` has the columns of ``forecast.forecast`` and no rows where no table allows one. ``unchanged`` are
    tables with too few complete days: they count with today's size on every day.
    """

    frame: pd.DataFrame
    as_of: date
    stored_bytes: int
    unchanged: tuple[TableGrowth, ...]

    def on(self, day: date) -> pd.Series | None:
        """The forecast's row of that day."""
        found = self.frame[self.frame["day"] == day]
        return None if found.empty else found.iloc[0]

    @property
    def next_month_bytes(self) -> float | None:
        """By how much the disk's content will have changed after 30 days, scaled to a month."""
        if len(self.frame) < 30:
            return None
        change = float(self.frame["expected_bytes"].iloc[29]) - self.stored_bytes
        return change / 30 * forecast.DAYS_PER_MONTH


def table_growths(
    growth: pd.DataFrame,
    tables: Sequence[Table],
    chunks: pd.DataFrame,
    *,
    compression: Sequence[TableCompression],
    retention: Sequence[TableRetention],
    now: datetime,
) -> tuple[TableGrowth, ...]:
    """One per table whose size is known, in the order of ``tables``; ``growth`` as ``settled`` returns it."""
    as_of = now.date() - DAY
    ends = _first_chunk_ends(chunks)
    shares = compressed_shares(chunks)
    compressing, expiring = {one.table: one for one in compression}, {one.table: one for one in retention}
    parts = {str(name): part for name, part in growth.groupby("table", sort=False)} if len(growth) else {}
    fine = [one.qualified for one in tables if one.qualified in parts and one.is_chunked and block_days(one) <= 1]
    newest = max((parts[name]["day"].max().date() for name in fine), default=now.date())
    found = []
    for table in tables:
        if table.size_bytes is None:
            continue
        lifecycle = lifecycle_of(
            table, shares.get(table.storage), compressing.get(table.qualified), expiring.get(table.qualified)
        )
        found.append(
            _table_growth(
                table,
                parts.get(table.qualified, growth.iloc[0:0]),
                first_chunk_end=ends.get(table.storage),
                lifecycle=lifecycle,
                as_of=as_of,
                newest=newest,
            )
        )
    return tuple(found)


def settled(growth: pd.DataFrame, tables: Sequence[Table], chunks: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """The growth frame without days before there were data, and without days to come.

    The oldest chunk of an aggregate may reach back months before its first row: its bytes are put on the days from
    the first one that finer chunks know, where it reaches that far.
    """
    growth = growth[growth["day"] <= pd.Timestamp(now)]
    coarse = {table.qualified: table for table in tables if table.is_chunked and block_days(table) > FINE_DAYS}
    known = growth[~growth["table"].isin(list(coarse))]
    if known.empty or not coarse:
        return growth.reset_index(drop=True)
    floor = known["day"].min()
    ends = _first_chunk_ends(chunks)
    parts = [known]
    for name, part in growth[growth["table"].isin(list(coarse))].groupby("table", sort=False):
        end = ends.get(coarse[str(name)].storage)
        early = part["day"] < floor
        if end is None or end <= floor or not early.any():
            parts.append(part)
            continue
        kept = part[~early].copy()
        target = kept["day"] < end
        if not target.any():
            parts.append(part)
            continue
        for column in ("size_bytes", "uncompressed_bytes", "rows"):
            kept.loc[target, column] += int(part.loc[early, column].sum() / target.sum())
        parts.append(kept)
    return pd.concat(parts).sort_values(["table", "day"], ignore_index=True)


def outlook(growths: Sequence[TableGrowth], horizon_days: int) -> Outlook:
    """The forecasts of ``growths`` as one."""
    frames = [one.ahead(horizon_days) for one in growths]
    unchanged = tuple(one for one, frame in zip(growths, frames, strict=True) if frame.empty)
    whole = forecast.total(frames)
    if not whole.empty:
        constant = sum(one.stored_bytes for one in unchanged)
        whole[["expected_bytes", "low_bytes", "high_bytes", "uncompressed_bytes"]] += constant
    return Outlook(
        frame=whole,
        as_of=growths[0].as_of if growths else date.min,
        stored_bytes=sum(one.stored_bytes for one in growths),
        unchanged=unchanged,
    )


def total_arrivals(growths: Sequence[TableGrowth]) -> pd.Series:
    """Uncompressed bytes that arrived per day over all tables, on the days that are complete for the large ones."""
    days = _common_days(growths)
    sums = sum((one.arrivals.reindex(days, fill_value=0.0) for one in growths), start=pd.Series(0.0, index=days))
    return pd.Series(sums, dtype=float)


def total_rows(growths: Sequence[TableGrowth]) -> pd.Series:
    """As ``total_arrivals``: rows, those of aggregates left out. Unlike bytes they do not step where indexes change."""
    days = _common_days(growths)
    tables = [one for one in growths if one.kind != "continuous aggregate"]
    sums = sum((one.rows.reindex(days, fill_value=0.0) for one in tables), start=pd.Series(0.0, index=days))
    return pd.Series(sums, dtype=float)


def monthly_rates(arrivals: pd.Series) -> pd.DataFrame:
    """Columns ``day`` and ``bytes_per_month``: the mean of seven days up to each day, as bytes per month."""
    rolling = arrivals.rolling(7).mean().dropna() * forecast.DAYS_PER_MONTH
    return pd.DataFrame({"day": pd.to_datetime(list(rolling.index), utc=True), "bytes_per_month": rolling.to_numpy()})


def lifecycle_of(
    table: Table, share: float | None, compression: TableCompression | None, retention: TableRetention | None
) -> Lifecycle:
    """The policies that are in force (scheduled). Data of a long chunk wait for its end: half of it on average."""
    wait = (block_days(table) - 1) / 2
    after = compression.compress_after if compression and compression.scheduled else None
    keep = retention.drop_after if retention and retention.scheduled else None
    return Lifecycle(
        compress_after_days=None if after is None else after / DAY + wait,
        compressed_share=share if after is not None else None,
        retain_days=None if keep is None else keep / DAY + wait,
    )


def compressed_shares(chunks: pd.DataFrame) -> dict[tuple[str, str], float]:
    """By storage: what whole compressed chunks take of their uncompressed bytes (0.1: a tenth is left)."""
    done = chunks[chunks["is_compressed"] & ~chunks["is_partial"] & chunks["after_bytes"].notna()]
    if done.empty:
        return {}
    sums = (
        done.assign(raw_bytes=uncompressed_bytes(done))
        .groupby(["hypertable_schema", "hypertable_name"])[["size_bytes", "raw_bytes"]]
        .sum()
    )
    rows = zip(sums.index.tolist(), sums.to_numpy().tolist(), strict=True)
    return {(str(schema), str(name)): size / raw for (schema, name), (size, raw) in rows if raw}


def block_days(table: Table) -> float:
    """Over how many days one observation of the table is spread: its chunk interval, at least a day."""
    return max(1.0, table.chunk_interval / DAY) if table.is_chunked and table.chunk_interval else 1.0


def _table_growth(
    table: Table,
    part: pd.DataFrame,
    *,
    first_chunk_end: pd.Timestamp | None,
    lifecycle: Lifecycle,
    as_of: date,
    newest: date,
) -> TableGrowth:
    later = part["day"] > pd.Timestamp(as_of, tz="UTC")
    size = table.size_bytes or 0
    empty = pd.Series(dtype=float)
    found = TableGrowth(
        table=table.qualified,
        kind=table.kind,
        size_bytes=size,
        stored_bytes=max(0, size - int(part.loc[later, "size_bytes"].sum())),
        as_of=as_of,
        past=empty,
        past_stored=empty,
        arrivals=empty,
        rows=empty,
        is_estimate=bool(part["is_estimate"].any()),
        block_days=block_days(table),
        lifecycle=lifecycle,
    )
    dated = part[~later]
    if dated.empty:
        return found
    days = [instant.date() for instant in dated["day"]]
    # An estimate ends at the last ANALYZE; chunks of up to a day end with the data, where these have stopped.
    last = part["day"].max().date() - DAY if found.is_estimate else as_of
    if not found.is_estimate and found.block_days <= 1:
        last = min(as_of, newest - DAY)
    first = days[0] + DAY
    if first_chunk_end is not None and days[0] < first_chunk_end.date() and found.block_days <= FINE_DAYS:
        first = first_chunk_end.ceil("D").date()
    start = max(days[0], as_of - timedelta(days=PAST_DAYS_KEPT))
    values = pd.Series(dated["uncompressed_bytes"].to_numpy(dtype=float), index=days)
    past = values.reindex(_days(start, max(last, days[-1])), fill_value=0.0)
    arrivals = past[(past.index >= first) & (past.index <= last)]
    rows = pd.Series(dated["rows"].to_numpy(dtype=float), index=days).reindex(arrivals.index, fill_value=0.0)
    # An aggregate holds as many rows for each bucket, so that its scatter is little where it cannot be seen.
    unseen = table.kind == "continuous aggregate" and len(arrivals) < 2 * found.block_days
    blocks = len(days) / 100 if found.is_estimate else found.block_days  # a histogram has 100 bins
    stored = pd.Series(dated["size_bytes"].to_numpy(dtype=float), index=days).reindex(past.index, fill_value=0.0)
    return replace(
        found,
        past=past,
        past_stored=stored,
        arrivals=arrivals,
        rows=rows,
        block_days=1.0 if unseen else max(1.0, blocks),
    )


def _common_days(growths: Sequence[TableGrowth]) -> list[date]:
    """The days that are complete for all of the largest tables (``MAJOR_SHARE``)."""
    rated = [(one.bytes_per_day or 0.0, one.arrivals) for one in growths if len(one.arrivals)]
    if not rated:
        return []
    rated.sort(key=lambda pair: pair[0], reverse=True)
    sums = np.cumsum([rate for rate, _ in rated])
    needed = int(np.searchsorted(sums, MAJOR_SHARE * sums[-1])) + 1 if sums[-1] else 1
    major = [arrivals for _, arrivals in rated[:needed]]
    return _days(max(one.index[0] for one in major), min(one.index[-1] for one in major))


def _first_chunk_ends(chunks: pd.DataFrame) -> dict[tuple[str, str], pd.Timestamp]:
    ends = chunks.dropna(subset=["range_end"]).groupby(["hypertable_schema", "hypertable_name"])["range_end"].min()
    return {(str(schema), str(name)): end for (schema, name), end in zip(ends.index.tolist(), ends, strict=True)}


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
