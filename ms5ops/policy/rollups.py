"""What may be combined from level to level: an aggregate over an aggregate must not average averages.

Sum, count, minimum, maximum, first and last combine exactly; means, deviations and percentiles do not (Phase 4 facts,
point 12). The bodies are read word by word (sqlparse's lexer), column by column of their outermost SELECT.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ms5ops.policy.bodies import words
from ms5ops.policy.document import AggregatePolicy, PolicySet
from ms5ops.policy.measured import LintFinding, Measured, Severity

_SPREADS = {
    "stddev", "stddev_pop", "stddev_samp", "variance", "var_pop", "var_samp", "corr", "covar_pop", "covar_samp",
    "regr_slope", "regr_intercept", "regr_r2",
}  # fmt: skip
_PERCENTILES = {"percentile_cont", "percentile_disc", "mode", "median"}
_COMBINING = {"sum", "min", "max", "first", "last", "count", "bool_and", "bool_or"}
_KINDS = {
    "avg": "mean",
    **dict.fromkeys(_SPREADS, "standard deviation or other spread"),
    **dict.fromkeys(_PERCENTILES, "percentile"),
}
_SOURCE = "carry from level to level what combines exactly (sum, count, sum of squares, min, max, last)"
_NAME = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True)
class _Call:
    """A call of an aggregate function: ``argument`` is its words, and those of its WITHIN GROUP."""

    function: str
    argument: tuple[str, ...]
    is_whole: bool

    @property
    def column(self) -> str | None:
        """The column, where the argument is one and no expression (the second of first and last is an order)."""
        first = self.argument[:1] if self.argument[1:2] in ((), (",",)) else ()
        return first[0] if first and _NAME.fullmatch(first[0]) else None


def columns(sql: str) -> Mapping[str, tuple[str, ...]]:
    """Name of each column that the SELECT gives -> the words of its expression, in order."""
    found: dict[str, tuple[str, ...]] = {}
    for item in _items(words(sql)):
        if len(item) > 2 and item[-2] == "as":
            found[item[-1]] = item[:-2]
        elif item:
            found[item[-1]] = item
    return found


def roll_ups(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """No mean, deviation or percentile of what is one already, nor counts of buckets taken for counts of rows.

    Source: Phase 4 facts, point 12.
    """
    for aggregate in policy.active_aggregates:
        below = policy.aggregates.get(aggregate.source)
        if below is None:
            continue
        kinds = {name: _kind(expression) for name, expression in columns(below.body.sql).items()}
        for name, expression in columns(aggregate.body.sql).items():
            for call in _calls(expression):
                wrong = _wrong(call, kinds, below)
                if wrong is not None:
                    severity, reason = wrong
                    yield LintFinding(
                        "roll-up", severity, f"{aggregate.name}.{name}", reason, _SOURCE,
                        f"aggregates.{aggregate.name}.body",
                    )  # fmt: skip


def _wrong(call: _Call, kinds: Mapping[str, str | None], below: AggregatePolicy) -> tuple[Severity, str] | None:
    column = call.column
    kind = kinds.get(column) if column else None
    of_what = f"of {column}" if column else "of an expression"
    if call.function in _KINDS:
        return "error", (
            f"{call.function} {of_what} in {below.name} is a {_KINDS[call.function]} over buckets, not over rows: "
            "buckets hold unequal counts. " + _instead(call.function)
        )
    if kind is not None and call.function == "sum":
        return "error", f"{column} of {below.name} is a {kind}: its sum means nothing. {_instead(kind)}"
    if kind is not None and call.function in ("min", "max"):
        word = "smallest" if call.function == "min" else "largest"
        return "warning", (
            f"{column} of {below.name} is a {kind}: the {word} of them is not the {kind} of the longer bucket. Name "
            "the column so that nobody takes it for that."
        )
    if call.function == "count":
        return "warning", f"count counts buckets of {below.name} here, not rows: take the sum of its count."
    return None


def _instead(function: str) -> str:
    if function in _PERCENTILES or function == "percentile":
        return "Percentiles do not combine: take them from the raw table at the level where they are needed."
    if function in ("avg", "mean"):
        return "Divide the sum of its sums by the sum of its counts."
    return "Derive it from sums, sums of squares and counts."


def _kind(expression: tuple[str, ...]) -> str | None:
    """What a column is, where it is nothing that combines: ``mean``, ``percentile`` ...; None where it does."""
    calls = list(_calls(expression))
    for call in calls:
        if call.function in _KINDS:
            return _KINDS[call.function]
    if not calls or (len(calls) == 1 and calls[0].is_whole):
        return None
    return "derived figure (a mean, for instance)"


def _items(statement: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The words of each column between the outermost SELECT and its FROM."""
    depth = 0
    item: list[str] = []
    for word in statement[statement.index("select") + 1 :] if "select" in statement else ():
        depth += {"(": 1, ")": -1}.get(word, 0)
        if depth == 0 and word in (",", "from"):
            yield tuple(item)
            item = []
            if word == "from":
                return
        else:
            item.append(word)
    yield tuple(item)


def _calls(expression: tuple[str, ...]) -> Iterator[_Call]:
    for place, word in enumerate(expression[:-1]):
        if expression[place + 1] != "(" or word not in (*_KINDS, *_COMBINING):
            continue
        end = _closing(expression, place + 1)
        argument = expression[place + 2 : end]
        if expression[end + 1 : end + 3] == ("within", "group"):
            group_end = _closing(expression, end + 3)
            argument, end = expression[end + 5 : group_end], group_end
        if expression[end + 1 : end + 2] == ("filter",):
            end = _closing(expression, end + 2)
        rest = expression[end + 1 :]
        yield _Call(word, argument, is_whole=place == 0 and (not rest or (rest[0] == "::" and len(rest) == 2)))


def _closing(expression: tuple[str, ...], opening: int) -> int:
    """The place of the parenthesis that closes the one at ``opening`` (the end where none does)."""
    depth = 0
    for place in range(opening, len(expression)):
        depth += {"(": 1, ")": -1}.get(expression[place], 0)
        if depth == 0:
            return place
    return len(expression)
