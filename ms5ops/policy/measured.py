"""What lint judges with: figures of a server where they were measured, and else what the policy expects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from ms5ops.config import MaintenanceWindow
from ms5ops.policy.document import ExpectedVolume, IndexPolicy, PolicySet, TablePolicy
from ms5ops.policy.ms5_schema import INDEXES

Severity = Literal["error", "warning", "info"]
Edition = Literal["community", "apache"]
DAY = timedelta(days=1)


@dataclass(frozen=True)
class LintFinding:
    """One judgement. ``reason`` is for a person, ``source`` says where rule and threshold are from.

    ``error``: it fails or destroys data; ``warning``: it works and does harm; ``info``: to be known, also that a rule
    could not judge. ``subject`` is a table, aggregate, index or the server; ``key`` the key of the policy file to edit.
    """

    rule: str
    severity: Severity
    subject: str
    reason: str
    source: str
    key: str


@dataclass(frozen=True)
class MeasuredTable:
    """One table as found; None is what was not measured. Bytes per row are uncompressed: heap, and all indexes.

    ``segments``: distinct values of segment_by within a chunk. Index counts include the primary key.
    """

    rows_per_day: float | None = None
    segments: int | None = None
    bytes_per_row: float | None = None
    index_bytes_per_row: float | None = None
    chunk_count: int | None = None
    index_count: int | None = None


@dataclass(frozen=True)
class Measured:
    """The server as found; None is what was not measured. ``memory_bytes`` is the machine's.

    ``databases``: how many have the extension, each with a scheduler. ``version`` is TimescaleDB's.
    """

    tables: Mapping[str, MeasuredTable] = field(default_factory=dict)
    memory_bytes: int | None = None
    shared_buffers_bytes: int | None = None
    max_background_workers: int | None = None
    max_worker_processes: int | None = None
    max_parallel_workers: int | None = None
    max_locks_per_transaction: int | None = None
    max_connections: int | None = None
    max_prepared_transactions: int | None = None
    databases: int | None = None
    version: tuple[int, ...] | None = None
    edition: Edition | None = None
    maintenance_window: MaintenanceWindow | None = None

    def table(self, name: str) -> MeasuredTable:
        """The figures of one table, all None where there are none."""
        return self.tables.get(name, MeasuredTable())


@dataclass(frozen=True)
class Figure:
    """A number, and whether it was measured or is what the policy expects."""

    value: float
    is_measured: bool


@dataclass(frozen=True)
class Volume:
    """What a table takes in; None where neither measured nor expected. Bytes as in ``MeasuredTable``."""

    rows_per_day: Figure | None
    segments: Figure | None
    bytes_per_row: Figure | None
    index_bytes_per_row: Figure


def volume(policy: PolicySet, measured: Measured, table: TablePolicy) -> Volume:
    """The volume of one table, each figure measured or else expected."""
    found = measured.table(table.name)
    expected = policy.expected.get(table.name)
    return Volume(
        rows_per_day=figure(found.rows_per_day, _expected(expected, "rows_per_day")),
        segments=figure(found.segments, _expected(expected, "segments")) if table.segment_by else Figure(1, True),
        bytes_per_row=figure(found.bytes_per_row, _expected(expected, "bytes_per_row")),
        index_bytes_per_row=Figure(found.index_bytes_per_row, True)
        if found.index_bytes_per_row is not None
        else Figure(index_bytes_per_row(policy, table), False),
    )


def figure(measured: float | None, expected: float | None) -> Figure | None:
    """The measured number where there is one, else the expected one, else None."""
    if measured is not None:
        return Figure(measured, True)
    return None if expected is None else Figure(expected, False)


def basis(*figures: Figure) -> str:
    """``measured`` only where all are."""
    return "measured" if all(item.is_measured for item in figures) else "expected, not measured"


def chunk_days(table: TablePolicy) -> float:
    """The chunk interval in days."""
    return table.chunk_interval / DAY


def lasting_indexes(policy: PolicySet, table: TablePolicy) -> list[IndexPolicy]:
    """The policy's indexes that every chunk of a table keeps: a moving window's is taken away again."""
    return [index for index in policy.indexes.values() if index.table == table.name and index.window is None]


def index_count(policy: PolicySet, table: TablePolicy) -> int:
    """Indexes per older chunk: the primary key, those of MS5.0 and the lasting ones of the policy."""
    return 1 + len(INDEXES.get(table.name, {})) + len(lasting_indexes(policy, table))


_WIDTHS = {
    "uuid": 16, "timestamptz": 8, "bigint": 8, "bigserial": 8, "double precision": 8, "integer": 4, "real": 4,
    "date": 4, "boolean": 1,
}  # fmt: skip
_TEXT_WIDTH = 24
_ENTRY_BYTES, _LEAF_FILL = 8 + 4, 0.9


def index_bytes_per_row(policy: PolicySet, table: TablePolicy) -> float:
    """Bytes that all indexes of a newest chunk take per row, by PostgreSQL's page layout.

    An entry is an 8-byte header, a 4-byte line pointer and its columns, padded to 8; leaf pages are filled to 90 %.
    Texts are taken as 24 bytes, a table without id as indexed by its time alone (own assumptions), a brin index as
    nothing, a partial index as one over all rows.
    """
    key = ("id", table.time_column) if "id" in table.columns else (table.time_column,)
    indexes = [key, *map(_names, INDEXES.get(table.name, {}).values())]
    indexes.extend(
        (*(item.column for item in index.columns), *index.include)
        for index in policy.indexes.values()
        if index.table == table.name and index.method == "btree"
    )
    widths = (sum(_WIDTHS.get(table.columns[column], _TEXT_WIDTH) for column in columns) for columns in indexes)
    return sum((_ENTRY_BYTES + -(-width // 8) * 8) / _LEAF_FILL for width in widths)


def _names(columns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(column.split()[0] for column in columns)


def _expected(expected: ExpectedVolume | None, name: str) -> float | None:
    return None if expected is None else getattr(expected, name)


def unjudged(rule: str, subject: str, lacks: str, key: str) -> LintFinding:
    """The finding of a rule that could not judge: it never passes for want of a figure."""
    reason = f"It could not be judged: {lacks}."
    return LintFinding(rule, "info", subject, reason, "neither measured nor expected", key)
