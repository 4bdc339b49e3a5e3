"""Whether a database is again as it was before a deployment, or before the part of it that was taken back."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ms5ops.rollout.operation import Operation
from ms5ops.rollout.records import State, TableState, plain
from ms5ops.rollout.state import differences, state_from_json, unequal

MOST = 50


@dataclass(frozen=True)
class Comparison:
    """What a rollback compares with: ``read_state`` reads the database anew."""

    read_state: Callable[[], State]

    def whole(self, before: Any, kept: Collection[str], undone: Sequence[Operation] = ()) -> list[str]:
        """What differs from the captured state (JSON values), in words, when all was taken back.

        Tables that stay hypertables (``kept``) are compared without what the conversion itself changed, and broken
        indexes that ``undone`` mended or dropped without them: nobody wants those back.
        """
        after = self.read_state()
        captured = without_conversions(state_from_json(before), after, kept)
        return differences(without_broken_indexes(captured, after, undone), after, MOST)

    def part(self, before: Any, start: State, undone: Sequence[Operation]) -> list[str]:
        """What differs, in words, when only these operations were taken back.

        What they touch must be as captured (``before``, JSON values), all else as it was when the rollback began
        (``start``).
        """
        after = self.read_state()
        captured = without_broken_indexes(state_from_json(before), after, undone)
        return list(part_differences(captured, start, after, undone))


def comparison(read_state: Callable[[], State]) -> Comparison:
    """The comparison with what ``read_state`` gives."""
    return Comparison(read_state)


# A part of what was applied ---------------------------------------------------------------------------------

Part = tuple[str, ...]
"""Names one piece of a state: ("tables", "s.metric_hist", "options"), ("indexes", "idx", "s.metric_hist")."""

_TABLE_FIELDS = {
    "convert": ("kind", "time_column", "dimensions", "chunk_interval", "constraints", "columns"),
    "chunk_interval": ("chunk_interval",),
    "autovacuum": ("options",),
    "compression_settings": ("compression_enabled", "segment_by", "order_by"),
    "materialized_only": ("materialized_only", "definition"),
    # These are listed with the tables and aggregates that they read.
    "create_view": ("views", "used_by"),
    "replace_view": ("views", "used_by"),
    "create_aggregate": ("used_by",),
    "drop_aggregate": ("used_by",),
}
_OF_AGGREGATE = ("create_aggregate", "drop_aggregate")


def part_differences(before: State, start: State, after: State, undone: Sequence[Operation]) -> Iterable[str]:
    """``where: expected -> found`` for each piece that is not as it should be; see ``Comparison.part``."""
    captured, began, now = _parts(before), _parts(start), _parts(after)
    for part in dict.fromkeys([*captured, *began, *now]):
        touched = any(touches(one, part) for one in undone)
        expected = (captured if touched else began).get(part)
        if touched and part not in captured and _is_less(now.get(part), began.get(part)):
            continue  # of what stays, but was not there before: an aggregate that lost a view which reads it
        yield from unequal(" ".join(part[:2] if part[0] != "tables" else part), expected, now.get(part))


def _is_less(now: Any, began: Any) -> bool:
    """Whether a list holds nothing that was not in it when the rollback began."""
    return isinstance(now, list) and isinstance(began, list) and all(one in began for one in now)


def touches(operation: Operation, part: Part) -> bool:
    """Whether an operation, or its way back, changes that piece of a state."""
    section, *names = part
    target, kind = operation.target, operation.kind
    if section in ("tables", "aggregates"):
        if kind in ("create_view", "replace_view", *_OF_AGGREGATE) and names[1] in _TABLE_FIELDS[kind]:
            return True
        return names[0] == target and (names[1] in _TABLE_FIELDS.get(kind, ()) or kind in _OF_AGGREGATE)
    if section == "jobs":
        # "02.metric_hist.compression_policy" is about the compression job; an aggregate takes all of its own along.
        return names[1] == target and (kind in _OF_AGGREGATE or names[0] == operation.job_kind)
    if section == "indexes":
        of_table = names[1] == target and (kind in _OF_AGGREGATE or (kind == "convert" and names[2] == "key"))
        return of_table or names[0] == target.partition(".")[2]
    return names[:1] == [target]


def _parts(state: State) -> Mapping[Part, Any]:
    values = plain(state, lasting=True)
    found: dict[Part, Any] = {}
    for section in ("tables", "aggregates"):
        for record in values.pop(section):
            found |= {(section, record["name"], name): value for name, value in record.items()}
    for job in values.pop("jobs"):
        owner = job["procedure"] if job["kind"] == "user" else job["target"] or job["procedure"]
        found.setdefault(("jobs", job["kind"], owner), []).append(job)
    for index in values.pop("indexes"):
        found["indexes", index["name"], index["table"], "key" if index["is_constraint"] else ""] = index
    for section in ("views", "procedures"):
        found |= {(section, record["name"]): record for record in values.pop(section)}
    found |= {("database_settings", name): value for name, value in values.pop("database_settings").items()}
    return found | {(name,): value for name, value in values.items()}


# Without what nobody wants back -------------------------------------------------------------------------------------


def without_broken_indexes(before: State, after: State, undone: Sequence[Operation]) -> State:
    """The captured state with the indexes whole that operations built anew, and without broken ones that they dropped.

    Such an index, which no query could rely on, has no way back (``Inverse.loses`` says so before a rollback starts):
    the whole one stays in its place, and what was dropped stays away.
    """
    gone = {
        one.target.partition(".")[2]: one.kind
        for one in undone
        if one.kind in ("rebuild_index", "drop_index") and not one.inverse.statements
    }
    return replace(
        before,
        indexes=tuple(one for one in before.indexes if one.name not in gone)
        + tuple(one for one in after.indexes if gone.get(one.name) == "rebuild_index"),
    )


# With conversions that stay ---------------------------------------------------------------------------------


def without_conversions(before: State, after: State, kept: Collection[str]) -> State:
    """The captured state as if the tables ``kept`` had been the hypertables then that they are now.

    A conversion changes the primary key and its index, and the time column's NOT NULL; all else stays compared.
    """
    return replace(
        before,
        tables=tuple(
            _converted(one, after.table(one.name.partition(".")[2])) if one.name in kept else one
            for one in before.tables
        ),
        indexes=tuple(one for one in before.indexes if not (one.table in kept and one.is_constraint))
        + tuple(one for one in after.indexes if one.table in kept and one.is_constraint),
    )


def _converted(before: TableState, after: TableState) -> TableState:
    keys = [one for one in after.constraints if one.kind == "p"]
    return replace(
        before,
        kind=after.kind,
        time_column=after.time_column,
        dimensions=after.dimensions,
        chunk_interval=after.chunk_interval,
        constraints=tuple(
            next((key for key in keys if key.name == one.name), one) if one.kind == "p" else one
            for one in before.constraints
        ),
        columns=tuple(replace(one, not_null=True) if one.name == after.time_column else one for one in before.columns),
    )
