"""What takes the space: by table, by part, over the days that the data cover, and over the snapshots taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

import pandas as pd

from ms5ops.observe.growth import TableGrowth
from ms5ops.observe.tables import DatabaseSize, Table

Bucket = Literal["day", "week", "month"]
Part = Literal["group", "table", "compressed", "rows", "indexes", "other"]

OTHERS = "All others"
SHOWN_TABLES = 7
"""Tables with a colour of their own; the rest are drawn as one."""
TREE_TABLES = 30
DAYS_AS_DAYS, DAYS_AS_WEEKS = 100, 600
"""Up to how many days a chart has one bar a day, and one a week (own choice: bars stay wide enough to point at)."""
SNAPSHOTS_SHOWN = 500
LEAST_SPAN = timedelta(hours=1)
"""A shorter time between two snapshots says nothing about growth (own choice)."""


@dataclass(frozen=True)
class Measured:
    """What happened between the first and the last snapshot."""

    since: datetime
    until: datetime
    change_bytes: int


def shown_name(qualified: str, schema: str) -> str:
    """``schema.name``, without the schema where it is the expected one."""
    return qualified.removeprefix(f"{schema}.")


def table_sizes(tables: Sequence[Table], growths: Sequence[TableGrowth], schema: str) -> pd.DataFrame:
    """One row per table whose size is known, largest first.

    Columns: table, kind, rows, chunks, compressed_chunks, size_bytes, share (of all), index_share, uncompressed_bytes,
    saved_bytes (negative where compression costs space), ratio, bytes_per_month (uncompressed arrivals).
    """
    rates = {one.table: one.bytes_per_day for one in growths}
    sized = [table for table in tables if table.size_bytes is not None]
    total = sum(table.size_bytes or 0 for table in sized)
    rows = []
    for table in sized:
        size, raw, rate = table.size_bytes or 0, table.uncompressed_bytes or 0, rates.get(table.qualified)
        rows.append(
            {
                "table": shown_name(table.qualified, schema),
                "kind": table.kind,
                "rows": table.rows,
                "chunks": table.chunks if table.is_chunked else None,
                "compressed_chunks": table.compressed_chunks if table.is_chunked else None,
                "size_bytes": size,
                "share": size / total if total else None,
                "index_share": (table.index_bytes or 0) / size if size else None,
                "uncompressed_bytes": raw,
                "saved_bytes": raw - size,
                "ratio": raw / size if size and table.compressed_chunks else None,
                "bytes_per_month": None if rate is None else rate * 365.25 / 12,
            }
        )
    columns = [
        "table", "kind", "rows", "chunks", "compressed_chunks", "size_bytes", "share", "index_share",
        "uncompressed_bytes", "saved_bytes", "ratio", "bytes_per_month",
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=columns).sort_values("size_bytes", ascending=False, ignore_index=True)
    return frame.astype({"rows": "Int64", "chunks": "Int64", "compressed_chunks": "Int64"})


def size_tree(
    tables: Sequence[Table], chunks: pd.DataFrame, schema: str, database: DatabaseSize | None = None
) -> pd.DataFrame:
    """What takes the space as a tree of four levels: everything, kind, table, part of the table.

    Columns: id, parent ("" for the root), label, size_bytes, part (``Part``), part_of (the parent's label). Chunks of
    a table stand as one rectangle for the compressed ones, one for the rows and one for the indexes of the others;
    tables after the first ``TREE_TABLES`` as one. ``database`` adds what is in none of these tables, where its size is
    exact.
    """
    sized = sorted((one for one in tables if one.size_bytes), key=lambda one: -(one.size_bytes or 0))
    compressed = _compressed(chunks)
    leaves: list[tuple[str, str, str, int, Part]] = []
    groups: dict[str, int] = {}
    for place, table in enumerate(sized):
        group = "Aggregates" if table.kind == "continuous aggregate" else "Tables"
        size = table.size_bytes or 0
        groups[group] = groups.get(group, 0) + size
        if place >= TREE_TABLES:
            continue
        name = f"{group}/{table.qualified}"
        leaves.append((name, group, shown_name(table.qualified, schema), size, "table"))
        leaves += _parts(table, name, compressed.get(table.storage))
    for group in groups:
        left = sum(one.size_bytes or 0 for one in sized[TREE_TABLES:] if _is_aggregate(one) == (group == "Aggregates"))
        if left:
            leaves.append((f"{group}/others", group, OTHERS, left, "other"))
    inside = sum(groups.values())
    outside = database.size_bytes - inside if database and database.is_exact else 0
    if outside > 0:
        groups["Everything else"] = outside
    labels = {"Aggregates": "Continuous aggregates", "Everything else": "Other tables and the system's own data"}
    top: list[tuple[str, str, str, int, Part]] = [("all", "", "All", sum(groups.values()), "group")]
    top += [
        (group, "all", labels.get(group, group), size, "other" if group == "Everything else" else "group")
        for group, size in groups.items()
    ]
    frame = pd.DataFrame(top + leaves, columns=["id", "parent", "label", "size_bytes", "part"])
    names = dict(zip(frame["id"], frame["label"], strict=True))
    return frame.assign(part_of=[names.get(parent, "") for parent in frame["parent"]])


def growth_bars(
    growth: pd.DataFrame, growths: Sequence[TableGrowth], schema: str, now: datetime
) -> tuple[pd.DataFrame, Bucket]:
    """Bytes by when the data are from, per day, week or month (whichever suits the span), and which of these.

    Columns: at (the bucket's first instant), table (shown name, the smaller ones as ``OTHERS``), size_bytes,
    uncompressed_bytes, is_complete (False where a day in it is not known whole, as the running one).
    """
    columns = ["at", "table", "size_bytes", "uncompressed_bytes", "is_complete"]
    if growth.empty:
        return pd.DataFrame(columns=columns), "day"
    span = (growth["day"].max() - growth["day"].min()).days
    bucket: Bucket = "day" if span <= DAYS_AS_DAYS else "week" if span <= DAYS_AS_WEEKS else "month"
    by_size = growth.groupby("table")["size_bytes"].sum().sort_values(ascending=False)
    names = {
        str(name): shown_name(str(name), schema) if place < SHOWN_TABLES or len(by_size) == SHOWN_TABLES + 1 else OTHERS
        for place, name in enumerate(by_size.index)
    }
    ranges = {one.table: (one.arrivals.index[0], one.arrivals.index[-1]) for one in growths if len(one.arrivals)}
    first, last = _edges(growth, ranges)
    frame = pd.DataFrame(
        {
            "at": _starts(growth["day"], bucket),
            "table": growth["table"].map(names),
            "size_bytes": growth["size_bytes"],
            "uncompressed_bytes": growth["uncompressed_bytes"],
            "is_complete": (growth["day"] >= first) & (growth["day"] <= last),
        }
    )
    grouped = frame.groupby(["table", "at"], sort=False).agg(
        size_bytes=("size_bytes", "sum"),
        uncompressed_bytes=("uncompressed_bytes", "sum"),
        is_complete=("is_complete", "all"),
    )
    order = {name: place for place, name in enumerate(dict.fromkeys(names[str(name)] for name in by_size.index))}
    result = grouped.reset_index()
    result["place"] = result["table"].map(order)
    running = _starts(pd.Series([pd.Timestamp(now)]), bucket).iloc[0]
    result.loc[result["at"] == running, "is_complete"] = False
    return result.sort_values(["place", "at"], ignore_index=True)[columns], bucket


def cumulated(growth: pd.DataFrame) -> pd.DataFrame:
    """Columns ``day``, ``size_bytes``, ``uncompressed_bytes``: data up to and with each day, that still lie there."""
    sums = growth.groupby("day")[["size_bytes", "uncompressed_bytes"]].sum().sort_index().cumsum().reset_index()
    return thinned(sums, SNAPSHOTS_SHOWN)


def snapshot_sizes(stored: pd.DataFrame, tables: Sequence[str] | None = None) -> pd.DataFrame:
    """Columns ``taken_at``, ``size_bytes``, ``uncompressed_bytes``: the sum over ``tables`` (None: all) by snapshot.

    ``stored``: rows of the history's query storage_snapshots. Evenly thinned to ``SNAPSHOTS_SHOWN``.
    """
    kept = stored.dropna(subset=["size_bytes"])
    if tables is not None:
        kept = kept[kept["table_name"].isin(list(tables))]
    columns = ["size_bytes", "uncompressed_bytes"]
    sums = kept.astype(dict.fromkeys(columns, "float64")).groupby("taken_at")[columns].sum().sort_index().reset_index()
    return thinned(sums, SNAPSHOTS_SHOWN)


def sizes_by_origin(stored: pd.DataFrame, tables: Sequence[str] | None = None) -> dict[str, pd.DataFrame]:
    """``snapshot_sizes`` of each origin that has any, the one with the oldest snapshot first: no line holds two."""
    found = {str(origin): snapshot_sizes(part, tables) for origin, part in stored.groupby("origin")}
    filled = {origin: sizes for origin, sizes in found.items() if len(sizes)}
    return dict(sorted(filled.items(), key=lambda one: one[1]["taken_at"].iloc[0]))


def measured(sizes: pd.DataFrame) -> Measured | None:
    """What changed over the snapshots (``snapshot_sizes``); None under ``LEAST_SPAN``."""
    if len(sizes) < 2:
        return None
    first, last = sizes.iloc[0], sizes.iloc[-1]
    if last["taken_at"] - first["taken_at"] < LEAST_SPAN:
        return None
    change = int(last["size_bytes"] - first["size_bytes"])
    return Measured(first["taken_at"].to_pydatetime(), last["taken_at"].to_pydatetime(), change)


def thinned(frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    """At most about ``rows`` rows, evenly spaced, with the first and the last."""
    step = -(-len(frame) // rows)
    if step <= 1:
        return frame.reset_index(drop=True)
    kept = frame.iloc[::step]
    if kept.index[-1] != frame.index[-1]:
        kept = pd.concat([kept, frame.iloc[[-1]]])
    return kept.reset_index(drop=True)


def _parts(table: Table, name: str, compressed: tuple[int, int] | None) -> list[tuple[str, str, str, int, Part]]:
    size, indexes = table.size_bytes or 0, table.index_bytes or 0
    done, done_indexes = compressed or (0, 0)
    indexes = max(0, min(indexes - done_indexes, size - done))
    rows = size - done - indexes
    count = table.chunks - table.compressed_chunks
    plural = "" if table.compressed_chunks == 1 else "s"
    of = f" of {count} uncompressed chunk{'' if count == 1 else 's'}" if table.is_chunked else ""
    parts: list[tuple[str, str, int, Part]] = [
        ("compressed", f"{table.compressed_chunks} compressed chunk{plural}", done, "compressed"),
        ("rows", f"Rows{of}", rows, "rows"),
        ("indexes", f"Indexes{of}", indexes, "indexes"),
    ]
    return [(f"{name}/{key}", name, label, part_size, part) for key, label, part_size, part in parts if part_size > 0]


def _compressed(chunks: pd.DataFrame) -> dict[tuple[str, str], tuple[int, int]]:
    """Size and indexes of the compressed chunks by storage."""
    sums = (
        chunks[chunks["is_compressed"]]
        .groupby(["hypertable_schema", "hypertable_name"])[["size_bytes", "index_bytes"]]
        .sum()
    )
    rows = zip(sums.index.tolist(), sums.to_numpy().tolist(), strict=True)
    return {(str(schema), str(name)): (int(size), int(indexes)) for (schema, name), (size, indexes) in rows}


def _is_aggregate(table: Table) -> bool:
    return table.kind == "continuous aggregate"


def _edges(growth: pd.DataFrame, ranges: dict[str, tuple[date, date]]) -> tuple[pd.Series, pd.Series]:
    """For each row the first and last complete day of its table; where none is known, a range without days."""
    never = (date(2200, 1, 1), date(1970, 1, 1))

    def column(place: int) -> pd.Series:
        days = {name: pd.Timestamp(ranges.get(name, never)[place], tz="UTC") for name in growth["table"].unique()}
        return pd.to_datetime(growth["table"].map(days), utc=True)

    return column(0), column(1)


def _starts(instants: pd.Series, bucket: Bucket) -> pd.Series:
    days = instants.dt.floor("D")
    if bucket == "day":
        return pd.Series(days)
    back = days.dt.day_of_week if bucket == "week" else days.dt.day - 1
    return pd.Series(days - pd.to_timedelta(back, unit="D"))
