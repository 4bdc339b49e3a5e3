"""The lock table: how many queries over all chunks of the widest table fit into it at once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ms5ops.observe.indexes import Index
from ms5ops.observe.settings import Setting, setting_number
from ms5ops.observe.tables import Table


@dataclass(frozen=True)
class TableLocks:
    """Locks that one query over all chunks of a table takes: chunks x (1 + indexes), compressed ones twice over."""

    table: str
    chunks: int
    compressed_chunks: int
    indexes: int
    locks: int


@dataclass(frozen=True)
class LockBudget:
    """The lock table against the table that needs most of it.

    ``slots`` = max_locks_per_transaction x (max_connections + max_prepared_transactions), from PostgreSQL's
    documentation of max_locks_per_transaction; None where a setting is not visible. The server can go somewhat
    beyond, while shared memory lasts.
    """

    slots: int | None
    tables: tuple[TableLocks, ...]
    locks_per_transaction: int | None = None

    @property
    def widest(self) -> TableLocks | None:
        """The table whose queries need most locks."""
        return max(self.tables, key=lambda one: one.locks, default=None)

    @property
    def queries_at_once(self) -> int | None:
        """How many queries over all chunks of the widest table fit; None where not known or nothing is chunked."""
        if self.slots is None or self.widest is None or self.widest.locks == 0:
            return None
        return self.slots // self.widest.locks


def lock_budget(tables: Sequence[Table], indexes: Sequence[Index], settings: Sequence[Setting]) -> LockBudget:
    """The budget out of tables, indexes and settings (no query of its own).

    Measured on 2.28.3: 2,001 chunks with 4 indexes, 1,832 of them compressed, hold 13,671 locks (by this formula
    13,674); 210 uncompressed ones with 1 index hold 422 (422).
    """
    counts = Counter(index.table for index in indexes)
    needed = tuple(
        sorted(
            (table_locks(table, counts[table.qualified]) for table in tables if table.is_chunked),
            key=lambda one: -one.locks,
        )
    )
    per_transaction = setting_number(settings, "max_locks_per_transaction")
    connections = setting_number(settings, "max_connections")
    slots = None
    if per_transaction is not None and connections is not None:
        slots = int(per_transaction * (connections + (setting_number(settings, "max_prepared_transactions") or 0)))
    return LockBudget(slots, needed, None if per_transaction is None else int(per_transaction))


def table_locks(table: Table, indexes: int) -> TableLocks:
    """Locks of one query over all chunks; a compressed chunk adds its compressed relation and that one's index."""
    locks = table.chunks * (1 + indexes) + 2 * table.compressed_chunks + 1 + indexes
    return TableLocks(table.qualified, table.chunks, table.compressed_chunks, indexes, locks)
