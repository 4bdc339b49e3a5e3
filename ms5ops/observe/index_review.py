"""What a DBA asks of the indexes: which serve, which idle, which repeat another, which are broken, what they lock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from ms5ops.observe.absence import absence
from ms5ops.observe.finding import counted, short
from ms5ops.observe.indexes import Index, IndexReading, duplicates, unused
from ms5ops.observe.locks import LockBudget
from ms5ops.observe.server_checks import LOCKS_CRITICAL_BELOW, LOCKS_WARNING_BELOW, USAGE_COUNTED_LONG_ENOUGH
from ms5ops.observe.tables import Table, short_name
from ms5ops.observe.verdict import Verdict
from ms5ops.policy.criteria import least
from ms5ops.policy.document import PolicySet
from ms5ops.units import bytes_text, count_text, instant_text, interval_text

COLUMNS = ["table", "name", "purpose", "method", "key", "size_bytes", "scans", "usage", "tuples_read", "chunks",
           "state", "expected_bytes", "bloat_ratio", "definition"]  # fmt: skip
"""Of ``index_frame``."""

USAGE = ("HIGH USAGE", "MODERATE USAGE", "LOW USAGE", "UNUSED")


@dataclass(frozen=True)
class Covered:
    """An index whose key another one of the same table begins with, so that the other can stand in for it."""

    index: Index
    by: Index


@dataclass(frozen=True)
class Counting:
    """Since when scans are counted, for how long, and whether that is long enough to call an index unused."""

    since: datetime | None
    span: timedelta | None
    long_enough: bool
    text: str


@dataclass(frozen=True)
class IndexTotals:
    """All indexes together. ``performance`` are those that serve queries (``performance_indexes``)."""

    indexes: int
    size_bytes: int
    unused: int
    unused_bytes: int
    broken: int
    performance: int


@dataclass(frozen=True)
class Wanted:
    """How many indexes the policy set asks for, and which of its own are not there.

    ``any_will_do``: of MS5.0's tables Phase 4 asks for a number, whichever they are; of others the set's own.
    """

    number: int
    missing: tuple[str, ...]
    any_will_do: bool

    @property
    def text(self) -> str:
        """What is asked for, in a few words."""
        if not self.number:
            return "none asked for"
        if self.any_will_do:
            return f"at least {self.number} asked for"
        return f"{self.number - len(self.missing)} of the policy set's {self.number}"

    def is_met(self, totals: IndexTotals) -> bool:
        """Whether what is there is enough."""
        return totals.performance >= self.number if self.any_will_do else not self.missing


def wanted_indexes(policy: PolicySet, indexes: Sequence[Index], tables: Sequence[Table]) -> Wanted:
    """What the policy set asks for; nothing where none of its tables is there."""
    if absence(tables):
        return Wanted(0, (), any_will_do=True)
    there = {(one.schema, one.name) for one in indexes}
    missing = (one.name for one in policy.active_indexes if (policy.schema_name, one.name) not in there)
    return Wanted(least(policy)["indexes"], tuple(missing), any_will_do=policy.is_phase4)


def counting(reading: IndexReading, now: datetime) -> Counting:
    """How long usage has been counted at ``now``. Where statistics survived a restart it may be longer."""
    since = reading.counted_since
    if since is None:
        return Counting(None, None, False, "The server does not say since when usage is counted.")
    span = now - since
    enough = span >= USAGE_COUNTED_LONG_ENOUGH
    text = f"Counted since {instant_text(since)} ({interval_text(span)})"
    return Counting(since, span, enough, f"{text}." if enough else f"{text}: too short to call an index useless.")


def index_totals(reading: IndexReading, tables: Sequence[Table]) -> IndexTotals:
    """Sums over all indexes; ``unused`` leaves out constraints and what TimescaleDB made for aggregates."""
    idle = unused(reading.indexes)
    return IndexTotals(
        indexes=len(reading.indexes),
        size_bytes=sum(one.size_bytes for one in reading.indexes),
        unused=len(idle),
        unused_bytes=sum(one.size_bytes for one in idle),
        broken=sum(one.is_broken for one in reading.indexes),
        performance=len(performance_indexes(reading.indexes, tables)),
    )


def performance_indexes(indexes: Sequence[Index], tables: Sequence[Table]) -> list[Index]:
    """Complete indexes of the policy set's tables that serve queries alone: no key, no constraint, no exact duplicate.

    Where none of those tables is there, of every hypertable.
    """
    judged = {table.qualified for table in tables if table.is_expected}
    if absence(tables):
        judged = {table.qualified for table in tables if table.kind == "hypertable"}
    spare = {(one.schema, one.name) for group in duplicates(indexes) for one in group[1:]}
    return [
        one
        for one in indexes
        if one.table in judged and one.may_be_dropped and not one.is_broken and (one.schema, one.name) not in spare
    ]


def verdict(  # noqa: PLR0911  # one per case
    reading: IndexReading, tables: Sequence[Table], budget: LockBudget | None, now: datetime, wanted: Wanted
) -> Verdict:
    """Whether indexes are complete, enough and in use, and whether their locks fit."""
    if not reading.indexes:
        return Verdict("info", "There are no indexes to judge: no table has one.")
    totals = index_totals(reading, tables)
    if totals.broken:
        return Verdict(
            "critical",
            f"{_indexes(totals.broken)} {'is' if totals.broken == 1 else 'are'} incomplete: queries that need "
            f"{'it' if totals.broken == 1 else 'them'} are slow until "
            f"{'it is' if totals.broken == 1 else 'they are'} built again.",
        )
    fit = budget.queries_at_once if budget else None
    if fit is not None and fit < LOCKS_WARNING_BELOW and budget and budget.widest:
        name = short(budget.widest.table)
        if fit == 0:
            return Verdict(
                "critical",
                f"Indexes are complete, but a query over the whole history of {name} takes more locks than there are.",
            )
        return Verdict(
            "critical" if fit < LOCKS_CRITICAL_BELOW else "warning",
            f"Indexes are complete, but only {fit} {'query' if fit == 1 else 'queries'} over the whole history of "
            f"{name} can run at once before the lock table is full.",
        )
    serve = "serves" if totals.performance == 1 else "serve"
    if not wanted.is_met(totals):
        lacking = (
            f"{_indexes(totals.performance)} {serve} queries; at least {wanted.number} are asked for."
            if wanted.any_will_do
            else f"{_indexes(len(wanted.missing))} of the policy set "
            f"{'is' if len(wanted.missing) == 1 else 'are'} missing: {', '.join(wanted.missing)}."
        )
        return Verdict("warning", f"{lacking} Dashboards read more than they need until then.")
    asked_for = f"; at least {wanted.number} are asked for" if wanted.any_will_do and wanted.number else ""
    served = f"All indexes are complete, and {totals.performance} of them {serve} queries{asked_for}."
    if totals.unused and counting(reading, now).long_enough:
        return Verdict(
            "warning",
            f"{served} {_indexes(totals.unused)} ({bytes_text(totals.unused_bytes)}) have not been used in "
            f"{interval_text(counting(reading, now).span)}.",
        )
    return Verdict("ok", served)


def index_frame(indexes: Sequence[Index], schema: str) -> pd.DataFrame:
    """Every index as a row, largest first.

    Columns: table, name, purpose, method, key, usage, state, definition str; size_bytes, scans, tuples_read, chunks
    int64; expected_bytes Int64; bloat_ratio float64.
    """
    rows = [
        {
            "table": short_name(one.table, schema),
            "name": one.name,
            "purpose": purpose(one),
            "method": one.method,
            "key": key_text(one),
            "size_bytes": one.size_bytes,
            "scans": one.scans,
            "usage": one.usage_category,
            "tuples_read": one.tuples_read,
            "chunks": one.chunks,
            "state": state_text(one),
            "expected_bytes": one.expected_bytes,
            "bloat_ratio": one.bloat_ratio,
            "definition": one.definition,
        }
        for one in sorted(indexes, key=lambda one: -one.size_bytes)
    ]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.astype({"bloat_ratio": "float64", "expected_bytes": "Int64"})


def usage_totals(indexes: Sequence[Index], schema: str) -> pd.DataFrame:
    """Indexes, bytes and scans by table and usage category (all four of USAGE for every table): table, usage, indexes,
    size_bytes, scans; the table with most bytes first."""
    frame = index_frame(indexes, schema)
    grouped = frame.groupby(["table", "usage"], sort=False)
    totals = grouped.agg(indexes=("name", "size"), size_bytes=("size_bytes", "sum"), scans=("scans", "sum"))
    every = pd.MultiIndex.from_product([frame["table"].unique(), USAGE], names=["table", "usage"])
    totals = totals.reindex(every, fill_value=0).reset_index()
    whole = totals.groupby("table", sort=False)["size_bytes"].transform("sum")
    return (
        totals.assign(whole=whole)
        .sort_values("whole", ascending=False, kind="stable", ignore_index=True)
        .drop(columns="whole")
    )


def purpose(index: Index) -> str:
    """What depends on it, in a word or two."""
    if index.is_primary:
        return "primary key"
    if index.is_constraint:
        return "constraint"
    return "unique" if index.is_unique else "queries"


def state_text(index: Index) -> str:
    """Whether it is whole, in words."""
    if not index.is_valid:
        return "invalid: its build did not finish"
    if index.invalid_chunks:
        return f"invalid on {count_text(index.invalid_chunks)} of {count_text(index.chunks)} chunks"
    if index.missing_chunks and index.is_partial:
        return f"complete; left away from {count_text(index.missing_chunks)} chunks"
    if index.missing_chunks:
        return f"missing on {count_text(index.missing_chunks)} of {count_text(index.chunks)} chunks"
    return "complete"


def key_columns(index: Index) -> tuple[str, ...]:
    """The columns or expressions of its key with their direction, without INCLUDE: ``("line_id", "ts DESC")``."""
    _, _, rest = index.definition.partition(" USING ")
    opened = rest.find("(")
    if opened < 0:
        return index.columns
    parts, depth, quoted, began = [], 0, "", opened + 1
    for place in range(opened, len(rest)):
        sign = rest[place]
        if quoted:
            quoted = "" if sign == quoted else quoted
        elif sign in "'\"":
            quoted = sign
        elif sign == "(":
            depth += 1
        elif sign == ")":
            depth -= 1
        if not quoted and ((sign == "," and depth == 1) or depth == 0):
            parts.append(rest[began:place].strip())
            began = place + 1
        if depth == 0 and not quoted:
            break
    return tuple(parts)


def key_text(index: Index) -> str:
    """Its key for people, with a mark where it holds further columns or only some of the rows."""
    key = key_columns(index)
    more = len(index.columns) - len(key)
    text = ", ".join(key)
    if more > 0:
        text += f" (+ {more} included)"
    return f"{text}, some rows only" if index.is_partial else text


def covered(indexes: Sequence[Index]) -> list[Covered]:
    """Droppable B-trees over all rows whose key is how another one's begins; exact duplicates are not meant.

    The longer key answers what the shorter one does, at a somewhat greater size. Of two with the same key the one
    that includes fewer columns is named.
    """
    whole = [one for one in indexes if one.method == "btree" and not one.is_partial and not one.is_broken]
    keys = {id(one): key_columns(one) for one in whole}
    alike = {frozenset((a.name, b.name)) for group in duplicates(indexes) for a in group for b in group}
    found = []
    for one in whole:
        key = keys[id(one)]
        if not one.may_be_dropped:
            continue
        for other in whole:
            longer = keys[id(other)]
            if other is one or other.table != one.table or frozenset((one.name, other.name)) in alike:
                continue
            if longer[: len(key)] == key and set(one.columns) <= set(other.columns):
                if longer == key and set(one.columns) == set(other.columns) and one.name > other.name:
                    continue
                found.append(Covered(one, other))
                break
    return found


def lock_frame(budget: LockBudget, schema: str) -> pd.DataFrame:
    """Per table: table str, chunks, compressed_chunks, indexes, locks int64, share of the lock table float64,
    queries_at_once Int64; widest first."""
    rows = [
        {
            "table": short_name(one.table, schema),
            "chunks": one.chunks,
            "compressed_chunks": one.compressed_chunks,
            "indexes": one.indexes,
            "locks": one.locks,
            "share": one.locks / budget.slots if budget.slots else None,
            "queries_at_once": budget.slots // one.locks if budget.slots and one.locks else None,
        }
        for one in budget.tables
    ]
    columns = ["table", "chunks", "compressed_chunks", "indexes", "locks", "share", "queries_at_once"]
    return pd.DataFrame(rows, columns=columns).astype({"share": "float64", "queries_at_once": "Int64"})


def lock_text(budget: LockBudget, schema: str) -> str:
    """The budget in one or two sentences."""
    widest = budget.widest
    if widest is None:
        return "No table has chunks yet: a query locks the table and its indexes, and nothing comes near the limit."
    name = short_name(widest.table, schema)
    takes = (
        f"A query over the whole history of {name} takes {count_text(widest.locks)} locks, for "
        f"{count_text(widest.chunks)} chunks and their indexes"
    )
    if budget.slots is None:
        return f"{takes}. The size of the lock table is not visible to this role."
    fit = budget.queries_at_once or 0
    room = f"the lock table has room for {count_text(budget.slots)}"
    if fit == 0:
        return f"{takes}; {room}: not even one fits, and it fails with “out of shared memory”."
    return f"{takes}; {room}, so {count_text(fit)} such {'query fits' if fit == 1 else 'queries fit'} at once."


def scans_text(scans: int) -> str:
    """``1 scan``, ``6,155 scans``."""
    return f"{count_text(scans)} scan{'' if scans == 1 else 's'}"


def _indexes(count: int) -> str:
    return counted(count, "index", "indexes")
