"""What a phase comes up with: operations, and notes on what it leaves alone or cannot do."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ms5ops.policy.document import PolicySet, TablePolicy
from ms5ops.rollout.limits import Limits
from ms5ops.rollout.operation import Lock, Operation
from ms5ops.rollout.records import IndexState, State, TableState

NO_LOCK = Lock("none", "nothing", "not at all")

NoteKind = Literal["drift", "cannot", "remark"]


@dataclass(frozen=True)
class Note:
    """What people should know beside the operations.

    "drift": it is there and the policy does not know it, so it is left alone. "cannot": the policy asks for it and it
    is not planned, with the reason. "remark": a consequence or a deviation.
    """

    kind: NoteKind
    target: str
    text: str


@dataclass
class Draft:
    """Operations and notes of one phase, in order."""

    operations: list[Operation] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def add(self, *operations: Operation | None) -> None:
        """Add operations; None adds nothing."""
        self.operations.extend(one for one in operations if one is not None)

    def note(self, kind: NoteKind, target: str, text: str) -> None:
        """Add a note."""
        self.notes.append(Note(kind, target, text))


Phase = Callable[[State, PolicySet], Draft]


def convert_key(table: str) -> str:
    """The key of the operation that makes a plain table a hypertable."""
    return f"01.{table}.convert"


def needs_hypertable(state: State, table: str) -> tuple[str, ...]:
    """What must have been done before an operation that takes the table for a hypertable."""
    return (convert_key(table),) if state.table(table).kind == "plain" else ()


def owner_of(state: State, relation: str) -> tuple[str, ...]:
    """The privilege to change a relation, in words."""
    owners = {one.name: one.owner for one in state.tables} | {one.name: one.owner for one in state.aggregates}
    owner = owners.get(relation)
    return (f"owner of {relation} ({owner})" if owner else f"owner of {relation}",)


def obstacle(state: State, policy: PolicySet, name: str) -> str | None:
    """Why a table neither is nor can become the hypertable of the policy; None where it can."""
    table, wanted = state.table(name), policy.tables[name]
    if table.kind == "missing":
        return "there is no such table"
    if table.kind == "hypertable":
        if table.time_column == wanted.time_column and table.dimensions == 1:
            return None
        if table.dimensions > 1:
            return f"it is partitioned by {table.dimensions} dimensions, which this console does not plan for"
        return f"it is partitioned by {table.time_column}, not by {wanted.time_column}"
    indexes = [index for index in state.indexes if index.table == table.name]
    return next(filter(None, _against_conversion(table, wanted, indexes)), None)


def _against_conversion(table: TableState, wanted: TablePolicy, indexes: Sequence[IndexState]) -> Iterable[str | None]:
    column = wanted.time_column
    yield f"it has no column {column}" if table.column(column) is None else None
    yield "it is partitioned or inherits" if table.is_partitioned else None
    for reference in table.referenced_by:
        yield (
            f"{reference.table} refers to it ({reference.name}): a hypertable cannot be unique by the referenced"
            " columns alone"
        )
    for constraint in table.constraints:
        if constraint.kind in ("u", "x") and column not in constraint.columns:
            yield f"its constraint {constraint.name} does not contain {column}, which a hypertable's must"
    for index in indexes:
        if index.is_unique and not index.is_constraint and f"{column}" not in index.shape.partition(" INCLUDE ")[0]:
            yield f"its unique index {index.name} does not contain {column}, which a hypertable's must"
    for trigger in table.triggers:
        if trigger.uses_transition_tables:
            yield f"its trigger {trigger.name} uses transition tables, which hypertables do not have"
    materialized = [view.name for view in table.views if view.is_materialized]
    if materialized and (table.size_bytes or 0) > Limits().small_table_bytes:
        yield (
            f"the materialized view {', '.join(materialized)} reads it, and a table of this size is converted online,"
            " which does not carry such a view over: drop it before, and make it anew afterwards"
        )
    if table.rows_without_time:
        yield f"{table.rows_without_time:,} rows have no {column}: give them a time, or move them to another table"
