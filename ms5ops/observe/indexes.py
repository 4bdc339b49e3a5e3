"""Indexes of hypertables and expected tables: size and use over all chunks, broken, missing, duplicate, bloated."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any, Literal

from ms5ops.observe.server import Server
from ms5ops.observe.tables import Table, by_storage, expected_tables

UsageCategory = Literal["UNUSED", "LOW USAGE", "MODERATE USAGE", "HIGH USAGE"]

LOW_USAGE_BELOW = 100
MODERATE_USAGE_BELOW = 1_000
"""Scans below which usage is low or moderate: the thresholds of the view v_index_usage that users know."""

BLOAT_RATIO = 2.0
BLOAT_LEAST_BYTES = 10_000_000
"""Real over expected size, and size, from which a B-tree is called bloated (own choice: REINDEX must be worth it)."""

_PAGE_BYTES = 8192


@dataclass(frozen=True)
class Index:
    """One logical index. Sizes, scans and tuples are summed over its chunk indexes.

    One query that touches ten chunks counts ten scans, and scans vanish with the chunks that retention drops: compare
    only over the time since ``IndexReading.counted_since``. ``expected_bytes`` is a rough estimate for B-trees over
    uncompressed rows (None where statistics are missing).
    """

    name: str
    schema: str
    table: str
    table_kind: str
    definition: str
    method: str
    columns: tuple[str, ...]
    is_unique: bool
    is_primary: bool
    is_partial: bool
    is_constraint: bool
    is_valid: bool
    chunks: int
    missing_chunks: int
    invalid_chunks: int
    size_bytes: int
    expected_bytes: int | None
    scans: int
    tuples_read: int
    tuples_fetched: int

    @property
    def usage_category(self) -> UsageCategory:
        """In the words of ``v_index_usage``."""
        if self.scans == 0:
            return "UNUSED"
        if self.scans < LOW_USAGE_BELOW:
            return "LOW USAGE"
        return "MODERATE USAGE" if self.scans < MODERATE_USAGE_BELOW else "HIGH USAGE"

    @property
    def is_broken(self) -> bool:
        """Invalid somewhere, or missing on a chunk: the trace of a cancelled build.

        A valid partial index may miss on chunks on purpose: idx_metric_hist_realtime is taken from those that hold no
        row of its window any more. A cancelled build leaves the index on the hypertable itself invalid.
        """
        return not self.is_valid or self.invalid_chunks > 0 or (self.missing_chunks > 0 and not self.is_partial)

    @property
    def may_be_dropped(self) -> bool:
        """Whether nothing but queries depends on it (no constraint, not unique)."""
        return not (self.is_unique or self.is_constraint or self.is_primary)

    @property
    def bloat_ratio(self) -> float | None:
        """Real over expected size; over 2 suggests that a REINDEX would pay. A hint, not a measurement."""
        return self.size_bytes / self.expected_bytes if self.expected_bytes else None

    @property
    def is_bloated(self) -> bool:
        """Whether the hint is strong enough to look at."""
        return (self.bloat_ratio or 0) >= BLOAT_RATIO and self.size_bytes >= BLOAT_LEAST_BYTES


@dataclass(frozen=True)
class IndexReading:
    """All indexes and since when their usage is counted."""

    indexes: tuple[Index, ...]
    counted_since: datetime | None

    def of(self, table: str) -> tuple[Index, ...]:
        """Those of one table (``schema.name``)."""
        return tuple(index for index in self.indexes if index.table == table)


def read_indexes(server: Server, tables: Sequence[Table]) -> IndexReading:
    """Indexes of every hypertable, aggregate and expected plain table."""
    rows = server.rows("indexes", schema=server.schema, tables=[one.name for one in expected_tables(server.policy)])
    age = server.rows("statistics_age")
    return IndexReading(indexes_from(rows, tables), age[0]["counted_since"] if age else None)


def indexes_from(rows: Sequence[Mapping[str, Any]], tables: Sequence[Table]) -> tuple[Index, ...]:
    """The records for rows of the query ``indexes``."""
    known = by_storage(tables)
    return tuple(_index(row, known.get((row["schema_name"], row["table_name"]))) for row in rows)


def duplicates(indexes: Sequence[Index]) -> list[tuple[Index, ...]]:
    """Groups of indexes of one table that are alike but for their name: all but the first are dead weight.

    First stands what a constraint needs, else one of Phase 4's names (idx_...), which users know.
    """
    groups: defaultdict[tuple[str, str], list[Index]] = defaultdict(list)
    for index in indexes:
        _, _, after = index.definition.partition(" USING ")
        groups[index.table, after].append(index)
    alike = (
        sorted(group, key=lambda one: (one.may_be_dropped, not one.name.startswith("idx_"), one.name))
        for group in groups.values()
        if len(group) > 1
    )
    return [tuple(group) for group in alike]


def unused(indexes: Sequence[Index]) -> list[Index]:
    """Never scanned and droppable, largest first; not those that TimescaleDB itself makes for aggregates."""
    found = [
        index
        for index in indexes
        if index.scans == 0 and index.may_be_dropped and index.table_kind != "continuous aggregate"
    ]
    return sorted(found, key=lambda index: -index.size_bytes)


def expected_index_bytes(entries: int, key_width_bytes: int, trees: int = 1) -> int:
    """The size of B-trees over which ``entries`` are spread evenly, in whole pages of 8 kB.

    Each has a metapage, leaves, and the pages above them where there is more than one.

    Per entry an 8-byte header, a 4-byte pointer and the key rounded up to 8 bytes; leaves are filled to 90 %. Source:
    PostgreSQL's index tuple and page layout (src/include/access/itup.h, storage/bufpage.h). Duplicate keys take less
    (deduplication since 13), so that the ratio errs towards "not bloated".
    """
    entry_bytes = 12 + -(-key_width_bytes // 8) * 8
    level = ceil(entries / trees * entry_bytes / 0.9 / _PAGE_BYTES)
    pages = 1 + level
    while level > 1:
        level = ceil(level * entry_bytes / _PAGE_BYTES)
        pages += level
    return trees * pages * _PAGE_BYTES


def _expected_bytes(row: Mapping[str, Any]) -> int | None:
    """None where it cannot be estimated. A hypertable's own index, and that of a chunk without rows, is a metapage."""
    entries, width, chunks = int(row["entries"]), int(row["key_width_bytes"] or 0), int(row["chunks"])
    if row["method"] != "btree" or row["is_partial"] or not width or not entries:
        return None
    if not row["is_hypertable"]:
        return expected_index_bytes(entries, width)
    filled = max(1, int(row["filled_chunks"]))
    return expected_index_bytes(entries, width, filled) + (1 + chunks - filled) * _PAGE_BYTES


def _index(row: Mapping[str, Any], table: Table | None) -> Index:
    return Index(
        name=row["index_name"],
        schema=row["schema_name"],
        table=table.qualified if table else f"{row['schema_name']}.{row['table_name']}",
        table_kind=table.kind if table else "plain table",
        definition=row["definition"],
        method=row["method"],
        columns=tuple(row["columns"] or ()),
        is_unique=row["is_unique"],
        is_primary=row["is_primary"],
        is_partial=row["is_partial"],
        is_constraint=row["is_constraint"],
        is_valid=row["is_valid"],
        chunks=row["chunks"],
        missing_chunks=max(0, row["chunks"] - row["indexed_chunks"]) if row["is_hypertable"] else 0,
        invalid_chunks=row["invalid_chunks"],
        size_bytes=row["size_bytes"],
        expected_bytes=_expected_bytes(row),
        scans=row["scans"],
        tuples_read=row["tuples_read"],
        tuples_fetched=row["tuples_fetched"],
    )
