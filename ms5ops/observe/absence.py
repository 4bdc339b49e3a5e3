"""Where a database has none of the policy set's tables: what it has instead, and what to do next."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ms5ops.observe.finding import counted
from ms5ops.observe.tables import Table

OTHER_TABLES = "The policy set is about other tables"
"""The heading of what is said where not one of them is there."""
MOST_NAMED = 3
"""Own choice: tables, or schemas, that a sentence names."""
_ADOPT = "python -m ms5ops policy adopt"
_SCHEMA = "schema (schema in ms5ops.toml, or DB_SCHEMA)"


@dataclass(frozen=True)
class Absence:
    """``schema`` is the environment's, ``wanted`` the policy set's tables, ``here`` the hypertables of the schema,
    ``elsewhere`` the other schemas with hypertables, each with how many; the one with most first.
    """

    schema: str
    wanted: tuple[str, ...]
    here: tuple[str, ...]
    elsewhere: tuple[tuple[str, int], ...]

    @property
    def text(self) -> str:
        """What is so, in one or two sentences."""
        none = f"The schema {self.schema} has none of the policy set's tables ({_named(self.wanted)})."
        if self.here:
            return f"{none} It has {_hypertables(len(self.here))} of its own: {_named(self.here)}."
        if self.elsewhere:
            return f"{none} It has no hypertable; {self._others()}."
        return f"{none} Nor has the database any hypertable."

    @property
    def next_step(self) -> str:
        """What to do: a policy set for what is there, or the right schema."""
        if self.here:
            other = f" Or set the environment's {_SCHEMA}: {self._others()}." if self.elsewhere else ""
            return (
                f"Write a policy set for what is there ({_ADOPT} --out FILE) and put it in force (policy save FILE "
                "--comment WHY --use), or do both on the page Rollout under Adjust the policy set, From the database."
                f"{other}"
            )
        if self.elsewhere:
            return f"Set the environment's {_SCHEMA}."
        return (
            f"Check the environment's database and {_SCHEMA}, and whether the application's migrations have run. For "
            f"plain tables write a policy set: {_ADOPT} --table NAME:TIME_COLUMN --out FILE."
        )

    def _others(self) -> str:
        listed = [f"{name} ({_hypertables(count)})" for name, count in self.elsewhere]
        return f"in other schemas: {_named(listed)}"


def absence(tables: Sequence[Table]) -> Absence | None:
    """What is there instead, where not one table that the policy set names is; None where one is, or it names none."""
    wanted = [table for table in tables if table.is_expected]
    if not wanted or any(table.kind != "missing" for table in wanted):
        return None
    schema, hypertables = wanted[0].schema, [table for table in tables if table.kind == "hypertable"]
    elsewhere = Counter(table.schema for table in hypertables if table.schema != schema)
    return Absence(
        schema,
        tuple(table.name for table in wanted),
        tuple(table.name for table in hypertables if table.schema == schema),
        tuple(elsewhere.most_common()),
    )


def of_this_database(tables: Sequence[Table]) -> tuple[Table, ...]:
    """The tables to list: where none of the policy set's is there, only what is."""
    return tuple(tables) if absence(tables) is None else tuple(table for table in tables if table.kind != "missing")


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _hypertables(count: int) -> str:
    return counted(count, "hypertable", "hypertables")
