"""The two tables of a conversion, and the expressions by which their rows are named, bounded and compared."""

from dataclasses import dataclass

from ms5ops.rollout.conversion_definition import Definition, Request
from ms5ops.rollout.conversion_names import identifier, identifiers, literal, qualified
from ms5ops.rollout.conversion_work import Row


@dataclass(frozen=True)
class Rows:
    """The two tables of a conversion and the expressions by which their rows are named and compared."""

    request: Request
    definition: Definition
    work_schema: str

    @property
    def source(self) -> str:
        """The table that is in use."""
        return self.definition.name

    @property
    def target(self) -> str:
        """The table that is being filled."""
        return qualified(self.work_schema, self.definition.table)

    @property
    def log(self) -> str:
        """Where the keys of changed rows are noted."""
        return qualified(self.work_schema, "ms5ops_log")

    @property
    def function(self) -> str:
        """The trigger's function."""
        return qualified(self.work_schema, "ms5ops_capture")

    @property
    def keys(self) -> list[str]:
        """The columns of a pair besides the time."""
        longer = max(self.request.primary_key, tuple((self.definition.key or {"columns": ()})["columns"]), key=len)
        return [name for name in longer if name != self.request.time_column]

    @property
    def log_columns(self) -> str:
        """The log's columns, in the order of ``pair``."""
        return ", ".join(["t", *(f"k{number}" for number in range(1, len(self.keys) + 1))])

    def pair(self, alias: str) -> str:
        """Time and keys, with names as in the log."""
        columns = [self.request.time_column, *self.keys]
        names = ["t", *(f"k{number}" for number in range(1, len(self.keys) + 1))]
        return ", ".join(f"{alias}.{identifier(column)} AS {name}" for column, name in zip(columns, names, strict=True))

    @property
    def order(self) -> str:
        """How rows are copied."""
        return identifiers([self.request.time_column, *self.keys], "s")

    @property
    def time_type(self) -> str:
        """The type of the time column."""
        column = self.definition.column(self.request.time_column)
        assert column is not None  # noqa: S101 (the check refuses a table without it)
        return str(column["type"])

    @property
    def log_types(self) -> list[tuple[str, str]]:
        """The log's columns with their types."""
        found = [("t", self.time_type)]
        for number, key in enumerate(self.keys, 1):
            column = self.definition.column(key)
            assert column is not None  # noqa: S101 (as above)
            found.append((f"k{number}", str(column["type"])))
        return found

    @property
    def filler(self) -> str | None:
        """What stands for a missing time, as an expression."""
        value = self.request.null_time_value
        return None if value is None else f"CAST({literal(value)} AS {self.time_type})"

    def time_of(self, expression: str) -> str:
        """A time of the source, or what stands for it."""
        return f"coalesce({expression}, {self.filler})" if self.filler else expression

    def values(self, names: list[str], *, source: bool) -> str:
        """Columns of one of the two tables."""
        return ", ".join(
            self.time_of(f"s.{identifier(name)}")
            if source and name == self.request.time_column
            else f"s.{identifier(name)}"
            for name in names
        )

    def row(self, *, source: bool) -> str:
        """All columns, to be compared."""
        return self.values([column["name"] for column in self.definition.columns], source=source)

    def match(self, *, source: bool) -> str:
        """A row ``s`` is that of a pair ``k``."""
        time_column = f"s.{identifier(self.request.time_column)}"
        found = [f"s.{identifier(key)} = k.k{number}" for number, key in enumerate(self.keys, 1)]
        return " AND ".join([*found, f"{self.time_of(time_column) if source else time_column} = k.t"])

    def span(self, first: str, last: str) -> str:
        """Only chunks of that time are looked at."""
        column = identifier(self.request.time_column)
        bounds = f"BETWEEN {self.instant(first)} AND {self.instant(last)}"
        return f"s.{column} {bounds} AND k.t {bounds}"

    def instant(self, text: str) -> str:
        """A time as the database wrote it."""
        return f"CAST({literal(text)} AS {self.time_type})"

    def beyond(self, position: Row | None, sign: str) -> str:
        """A row ``s`` comes after (``>``) a position, or not (``<=``)."""
        if position is None:
            return "true"
        types = dict(self.log_types)
        values = ", ".join(f"CAST({literal(position[name])} AS {kind})" for name, kind in types.items())
        column = f"s.{identifier(self.request.time_column)}"
        outer = ">=" if sign == ">" else "<="
        return f"({self.order}) {sign} ({values}) AND {column} {outer} {self.instant(position['t'])}"

    def within(self, start: str | None, end: str | None, *, source: bool) -> str:
        """A row's time is at or after ``start`` and before ``end``."""
        column = f"s.{identifier(self.request.time_column)}"
        bounds = [f"{{}} >= {self.instant(start)}"] if start else []
        bounds += [f"{{}} < {self.instant(end)}"] if end else []
        found = " AND ".join(["true", *bounds]).format(*[column] * len(bounds))
        if not source:
            return found
        if self.filler:
            filled = " AND ".join(["true", *bounds]).format(*[self.filler] * len(bounds))
            return f"(({column} IS NOT NULL AND {found}) OR ({column} IS NULL AND {filled}))"
        return f"{column} IS NOT NULL AND {found}"
