"""Names, columns of an index, and predicates, as a policy may hold them: nothing else gets into generated SQL."""

import re
from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from ms5ops.strict import nearest

LONGEST_NAME = 63
"""Bytes: PostgreSQL cuts longer names off without a word (NAMEDATALEN - 1)."""

_RESERVED = {
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "binary", "both",
    "case", "cast", "check", "collate", "collation", "column", "concurrently", "constraint", "create", "cross",
    "current_catalog", "current_date", "current_role", "current_schema", "current_time", "current_timestamp",
    "current_user", "default", "deferrable", "desc", "distinct", "do", "else", "end", "except", "false", "fetch",
    "for", "foreign", "freeze", "from", "full", "grant", "group", "having", "ilike", "in", "initially", "inner",
    "intersect", "into", "is", "isnull", "join", "lateral", "leading", "left", "like", "limit", "localtime",
    "localtimestamp", "natural", "not", "notnull", "null", "offset", "on", "only", "or", "order", "outer", "overlaps",
    "placing", "primary", "references", "returning", "right", "select", "session_user", "similar", "some",
    "symmetric", "system_user", "table", "tablesample", "then", "to", "trailing", "true", "union", "unique", "user",
    "using", "variadic", "verbose", "when", "where", "window", "with",
}  # fmt: skip
"""PostgreSQL's reserved words (its appendix C), which are no names without quotes."""
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_ORDERED = re.compile(r"(\S+)(?:\s+(asc|desc))?(?:\s+nulls\s+(first|last))?", re.IGNORECASE)
_PIECE = re.compile(
    r"(?P<word>[A-Za-z_][A-Za-z0-9_]*)|\s+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|'(?:[^'\\]|'')*'|::|[<>=!+*/%|-]{1,3}|[(),]",
    re.ASCII,
)
_PREDICATE_WORDS = {"and", "or", "not", "is", "null", "in", "between", "like", "true", "false", "distinct", "from"}
_CLOCK = {"now", "current_timestamp", "current_date", "localtimestamp", "clock_timestamp", "statement_timestamp"}
_CAST_TYPES = {
    "timestamptz", "date", "interval", "integer", "bigint", "real", "numeric", "double", "precision", "text", "boolean",
}  # fmt: skip


def plain_name(name: str) -> str:
    """The name itself where it needs no quotes in SQL; otherwise ValueError."""
    if not _PLAIN.fullmatch(name):
        shown = name if len(name) <= 40 else f"{name[:40]}..."
        raise ValueError(f"{shown!r} is not a name: lower-case letters, digits and _ only, and no digit first")
    if name in _RESERVED:
        raise ValueError(f"{name} is a reserved word of SQL, which is no name without quotes")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"{name[:40]}... is longer than PostgreSQL's {LONGEST_NAME} characters")
    return name


Name = Annotated[str, AfterValidator(plain_name)]
"""An identifier that is the same with and without quotes."""


class Ordered(BaseModel):
    """A column in an order; ``str()`` gives the SQL: ``ts DESC``, ``shift_id NULLS FIRST``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: Name
    descending: bool = False
    nulls: Literal["FIRST", "LAST"] | None = None

    def __str__(self) -> str:
        return self.column + (" DESC" if self.descending else "") + (f" NULLS {self.nulls}" if self.nulls else "")


def _parse_ordered(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _ORDERED.fullmatch(value.strip())
    if match is None:
        raise ValueError(f'{value[:60]!r} is not a column with an order (examples are "line_id", "ts DESC")')
    return Ordered(
        column=plain_name(match[1]),
        descending=(match[2] or "").lower() == "desc",
        nulls={"first": "FIRST", "last": "LAST", "": None}[(match[3] or "").lower()],
    )


OrderedColumn = Annotated[Ordered, BeforeValidator(_parse_ordered), PlainSerializer(str, return_type=str)]
"""Written as text: ``"ts DESC"``."""


def check_columns(names: Collection[str], columns: Collection[str], table: str) -> None:
    """ValueError names the first column that the table does not have, and the nearest that it has."""
    for name in names:
        if name not in columns:
            raise ValueError(f"{table} has no column {name}{nearest(name, columns)}")


def check_predicate(predicate: str, columns: Collection[str], table: str) -> None:
    """Whether ``predicate`` is a condition on the table's columns and constants, and nothing else.

    ValueError says what it may not hold: functions (an index predicate must be IMMUTABLE, so ``now()`` never works),
    sub-selects, comments, further statements, columns that the table lacks.
    """
    if not predicate.strip():
        raise ValueError("is empty: leave the key out for an index over all rows")
    depth = at = 0
    before = ""
    while at < len(predicate):
        match = _PIECE.match(predicate, at)
        if match is None or "--" in match[0] or "/*" in match[0]:
            raise ValueError(f"{predicate[at : at + 20]!r} does not belong into a condition")
        at = match.end()
        piece = match[0].lower()
        if match["word"]:
            _check_word(piece, before, columns, table)
        elif piece == "(" and before in columns:
            raise ValueError(f"{before} is a column, and a condition calls no functions")
        depth += {"(": 1, ")": -1}.get(piece, 0)
        if depth < 0:
            break
        before = piece if piece.strip() else before
    if depth:
        raise ValueError("its parentheses do not match")


def _check_word(word: str, before: str, columns: Collection[str], table: str) -> None:
    if word in _CLOCK:
        raise ValueError(
            f"{word} is not IMMUTABLE, which an index predicate must be: for a cut-off that moves "
            'give window = "24 hours" instead'
        )
    is_type = word in _CAST_TYPES and before in ("::", "double")
    if word not in _PREDICATE_WORDS and not is_type:
        check_columns([word], columns, table)
