"""Tables: hypertables, aggregates and the policy set's tables, whatever state they are in, with their sizes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import pandas as pd

from ms5ops.observe.server import Server
from ms5ops.policy.document import PolicySet

Kind = Literal["hypertable", "continuous aggregate", "plain table", "missing"]

DATABASE_SIZE_EXACT_BELOW = 20_000
"""Relations up to which pg_database_size is asked (about 95 ms); it grows to 142 ms at 30,000 and 477 ms at 90,000."""


@dataclass(frozen=True)
class ExpectedTable:
    """What the policy set says of one table; an age of None: no such policy."""

    name: str
    time_column: str
    chunk_interval: timedelta
    segment_by: tuple[str, ...]
    order_by: tuple[str, ...]
    compress_after: timedelta | None
    drop_after: timedelta | None
    aggregates: tuple[str, ...]


def expected_tables(policy: PolicySet) -> tuple[ExpectedTable, ...]:
    """The enabled tables of a policy set, in its order."""
    return tuple(
        ExpectedTable(
            name=table.name,
            time_column=table.time_column,
            chunk_interval=table.chunk_interval,
            segment_by=table.segment_by,
            order_by=tuple(map(str, table.order_by)),
            compress_after=table.compress_after,
            drop_after=table.drop_after,
            aggregates=tuple(one.name for one in policy.active_aggregates if policy.root(one.name) == table.name),
        )
        for table in policy.active_tables
    )


@dataclass(frozen=True)
class Table:
    """One table as found. ``expected``: what the policy set says of it, None where it says nothing.

    ``storage_schema`` and ``storage_name`` are where its chunks are: the table itself, or an aggregate's
    materialised hypertable. Sizes include chunks, indexes and toast, and are None where they were not read;
    ``uncompressed_bytes`` is what it would take had nothing been compressed. ``rows`` is from statistics.
    """

    schema: str
    name: str
    kind: Kind
    expected: ExpectedTable | None
    storage_schema: str
    storage_name: str
    time_column: str | None
    time_type: str | None
    chunk_interval: timedelta | None
    dimensions: int
    compression_enabled: bool
    chunks: int
    compressed_chunks: int
    partial_chunks: int
    rows: int | None
    size_bytes: int | None
    index_bytes: int | None
    uncompressed_bytes: int | None

    @property
    def qualified(self) -> str:
        """``schema.name``, the key by which records refer to tables."""
        return f"{self.schema}.{self.name}"

    @property
    def storage(self) -> tuple[str, str]:
        """Where its chunks are, as chunk frames and jobs name it."""
        return self.storage_schema, self.storage_name

    @property
    def compressed_share(self) -> float | None:
        """Share of its chunks that are compressed, None where it has none."""
        return self.compressed_chunks / self.chunks if self.chunks else None

    @property
    def is_expected(self) -> bool:
        """Whether the policy set names it."""
        return self.expected is not None

    @property
    def is_chunked(self) -> bool:
        """Whether it has chunks: a hypertable or an aggregate."""
        return self.kind in ("hypertable", "continuous aggregate")


@dataclass(frozen=True)
class DatabaseSize:
    """Size of the whole database; not ``is_exact`` means from page counts, 15 to 30 % low."""

    size_bytes: int
    is_exact: bool
    relations: int


@dataclass(frozen=True)
class PlainGrowth:
    """How a plain table's rows lie in time, from the planner's statistics: equal numbers of rows between ``bounds``."""

    table: str
    bounds: tuple[datetime, ...]


def read_tables(server: Server, chunks: pd.DataFrame | None) -> tuple[Table, ...]:
    """Every hypertable and aggregate, and the policy set's tables that are plain or missing.

    ``chunks`` is the frame of all chunks (``chunks.read_chunks``); without it sizes and rows stay None.
    """
    expected = expected_tables(server.policy)
    plain = server.rows("plain_tables", schema=server.schema, tables=[one.name for one in expected])
    return tables_from(server.rows("hypertables"), plain, chunks, server.schema, expected)


def read_database_size(server: Server) -> DatabaseSize:
    """Exact where the database is small, else by page counts."""
    row = server.rows("database_size", exact_below=DATABASE_SIZE_EXACT_BELOW)[0]
    return DatabaseSize(int(row["size_bytes"] or 0), row["is_exact"], row["relations"])


def read_plain_growth(server: Server, tables: Sequence[Table]) -> tuple[PlainGrowth, ...]:
    """The time histograms of those of the tables that are plain; absent where the server never analysed one."""
    plain = [table for table in tables if table.kind == "plain table" and table.time_column]
    rows = server.rows(
        "time_histogram",
        schema=server.schema,
        tables=[table.name for table in plain],
        time_columns=[table.time_column for table in plain],
    )
    return tuple(PlainGrowth(f"{server.schema}.{row['table_name']}", tuple(row["bounds"])) for row in rows)


def tables_from(
    hypertables: Sequence[Mapping[str, Any]],
    plain: Sequence[Mapping[str, Any]],
    chunks: pd.DataFrame | None,
    schema: str,
    expected: Sequence[ExpectedTable],
) -> tuple[Table, ...]:
    """The records for rows of ``hypertables`` and ``plain_tables`` and the chunk frame; expected tables first."""
    sums, wanted = _sums(chunks), {one.name: one for one in expected}
    found = [_chunked(row, sums, schema, wanted) for row in hypertables]
    names = {table.name for table in found if table.schema == schema and table.kind == "hypertable"}
    sizes = {row["table_name"]: row for row in plain}
    found += [_unchunked(one, sizes.get(one.name), schema) for one in expected if one.name not in names]
    order = {name: place for place, name in enumerate(wanted)}
    return tuple(
        sorted(
            found,
            key=lambda one: (
                order.get(one.name, 99) if one.is_expected else 99,
                one.kind == "continuous aggregate",
                one.qualified,
            ),
        )
    )


def table_named(tables: Sequence[Table], qualified: str) -> Table | None:
    """The table of that ``schema.name``."""
    return next((table for table in tables if table.qualified == qualified), None)


def short_name(qualified: str, schema: str) -> str:
    """``schema.name`` without the schema where it is the environment's own."""
    return qualified.removeprefix(f"{schema}.")


def by_storage(tables: Sequence[Table]) -> dict[tuple[str, str], Table]:
    """Chunked tables by where their chunks are."""
    return {table.storage: table for table in tables if table.is_chunked}


Sums = dict[tuple[str, str], dict[str, int | None]]


def _sums(chunks: pd.DataFrame | None) -> Sums | None:
    if chunks is None:
        return None
    frame = chunks.assign(uncompressed_bytes=uncompressed_bytes(chunks))
    grouped = frame.groupby(["hypertable_schema", "hypertable_name"], sort=False)[
        ["size_bytes", "index_bytes", "uncompressed_bytes", "rows"]
    ].sum(min_count=1)
    columns = list(grouped.columns)
    return {
        (str(schema), str(name)): {
            column: None if pd.isna(value) else int(value) for column, value in zip(columns, values, strict=True)
        }
        for (schema, name), values in zip(grouped.index.tolist(), grouped.to_numpy().tolist(), strict=True)
    }


def uncompressed_bytes(chunks: pd.DataFrame) -> pd.Series:
    """What each chunk takes, or took before it was compressed (with a partial one's new rows on top)."""
    replaced = chunks["before_bytes"] - chunks["after_bytes"]
    return (chunks["size_bytes"] + replaced.fillna(0)).astype("int64")


def _chunked(row: Mapping[str, Any], sums: Sums | None, schema: str, wanted: Mapping[str, ExpectedTable]) -> Table:
    storage = (row["storage_schema"], row["storage_name"])
    sizes = None if sums is None else sums.get(storage, {})
    read = {
        name: None if sizes is None else sizes.get(name, 0)
        for name in ("rows", "size_bytes", "index_bytes", "uncompressed_bytes")
    }
    return Table(
        schema=row["schema_name"],
        name=row["table_name"],
        kind=row["kind"],
        expected=wanted.get(row["table_name"])
        if row["kind"] == "hypertable" and row["schema_name"] == schema
        else None,
        storage_schema=storage[0],
        storage_name=storage[1],
        time_column=row["time_column"],
        time_type=row["time_type"],
        chunk_interval=row["chunk_interval"],
        dimensions=row["dimensions"] or 1,
        compression_enabled=bool(row["compression_enabled"]),
        chunks=row["chunks"],
        compressed_chunks=row["compressed_chunks"],
        partial_chunks=row["partial_chunks"],
        **read,
    )


def _unchunked(expected: ExpectedTable, row: Mapping[str, Any] | None, schema: str) -> Table:
    return Table(
        schema=schema,
        name=expected.name,
        kind="missing" if row is None else "plain table",
        expected=expected,
        storage_schema=schema,
        storage_name=expected.name,
        time_column=expected.time_column,
        time_type=None,
        chunk_interval=None,
        dimensions=0,
        compression_enabled=False,
        chunks=0,
        compressed_chunks=0,
        partial_chunks=0,
        rows=row["rows"] if row else None,
        size_bytes=row["size_bytes"] if row else None,
        index_bytes=row["index_bytes"] if row else None,
        uncompressed_bytes=row["size_bytes"] if row else None,
    )
