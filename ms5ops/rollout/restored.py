"""Whether a database is again as it was before a deployment."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from ms5ops.rollout.records import State, TableState
from ms5ops.rollout.state import differences, state_from_json

MOST = 50


def comparison(read_state: Callable[[], State]) -> Callable[[Any, Collection[str]], list[str]]:
    """What ``rollback`` compares with: reads the state anew and names what differs from the captured one.

    Tables that stay hypertables are compared without what the conversion itself changed.
    """

    def compare(before: Any, kept: Collection[str]) -> list[str]:
        after = read_state()
        return differences(without_conversions(state_from_json(before), after, kept), after, MOST)

    return compare


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
