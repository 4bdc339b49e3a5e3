"""Continuous aggregates as people read them: how fresh against the promise, how they build on each other, how far
their refresh reaches, and whether it is the data or the aggregate that has stopped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import pandas as pd

from ms5ops.observe.absence import absence
from ms5ops.observe.aggregates import Aggregate, retention_conflict
from ms5ops.observe.chunks import INSTANT, instants
from ms5ops.observe.finding import short
from ms5ops.observe.tables import Table, table_named
from ms5ops.observe.verdict import Verdict
from ms5ops.units import MISSING, ago_text, bytes_text, interval_text

Freshness = Literal["fresh", "late", "paused", "no policy", "empty", "not known"]

QUIET_AFTER = timedelta(hours=1)
"""Own choice: the slowest of Phase 4's summarised tables gets 100 rows a day, one in a quarter of an hour."""


@dataclass(frozen=True)
class DataEnd:
    """Where the data of one source hypertable end. ``quiet``: for so long that it is worth a word."""

    source: str
    newest: datetime
    age: timedelta

    @property
    def quiet(self) -> bool:
        """Whether nothing new has come in for ``QUIET_AFTER``."""
        return self.age > QUIET_AFTER


def freshness(aggregate: Aggregate) -> Freshness:
    """One word for an aggregate. "empty" holds nothing though a policy exists; "late" breaks its promise."""
    if not aggregate.has_policy:
        return "no policy"
    if not aggregate.scheduled:
        return "paused"
    if aggregate.watermark is None:
        return "empty" if aggregate.chunks == 0 else "not known"
    kept = aggregate.keeps_promise
    return "not known" if kept is None else "fresh" if kept else "late"


def behind_words(aggregate: Aggregate) -> str:
    """How far behind its source: ``2 min behind its source``, ``up to date with its source``."""
    lag = aggregate.lag_behind_source
    if aggregate.watermark is None:
        return "holds nothing yet" if aggregate.chunks == 0 else "how far it is filled cannot be told"
    if lag is None:
        return "how far it is behind cannot be told"
    return f"{interval_text(lag)} behind its source" if lag else "up to date with its source"


def promise_words(aggregate: Aggregate) -> str:
    """What its policy promises: ``promise 4 min``, or why there is none."""
    if not aggregate.has_policy:
        return "no refresh policy"
    paused = "" if aggregate.scheduled else " (paused)"
    return (
        "no promise can be told"
        if aggregate.promised is None
        else f"promise {interval_text(aggregate.promised)}{paused}"
    )


def window_words(aggregate: Aggregate) -> str:
    """The refresh window: ``from 3 days to 1 min ago``."""
    if not aggregate.has_policy:
        return MISSING
    start = interval_text(aggregate.start_offset) if aggregate.start_offset is not None else "the beginning"
    end = f"{interval_text(aggregate.end_offset)} ago" if aggregate.end_offset else "now"
    return f"from {start} to {end}" if aggregate.start_offset is None else f"from {start} ago to {end}"


def data_ends(aggregates: Sequence[Aggregate], now: datetime) -> tuple[DataEnd, ...]:
    """Where the data of each source hypertable end, as far as known; latest first."""
    newest: dict[str, datetime] = {}
    for one in aggregates:
        if one.level == 1 and one.newest_source_at is not None:
            newest[one.root] = one.newest_source_at
    found = [DataEnd(source, at, now - at) for source, at in newest.items()]
    return tuple(sorted(found, key=lambda end: end.age))


FRESHNESS_DTYPES = {
    "aggregate": "str", "state": "str", "words": "str", "lag_s": "float64", "promised_s": "float64", "share": "float64",
    "behind_now_s": "float64", "watermark": INSTANT, "newest_source_at": INSTANT, "data_age_s": "float64",
}  # fmt: skip
"""``share`` is lag / promised; ``behind_now_s`` counts from the watermark to now, of which ``data_age_s`` is due to
the data having ended."""

STATE_WORDS: dict[Freshness, str] = {
    "fresh": "within its promise",
    "late": "late",
    "paused": "refresh paused",
    "no policy": "no refresh policy",
    "empty": "not filled yet",
    "not known": "cannot be told",
}


def freshness_frame(aggregates: Sequence[Aggregate], now: datetime) -> pd.DataFrame:
    """One row per aggregate in the given order (``FRESHNESS_DTYPES``)."""
    ages = {end.source: end.age for end in data_ends(aggregates, now)}
    rows = []
    for one in aggregates:
        lag, promised, age = one.lag_behind_source, one.promised, ages.get(one.root)
        rows.append(
            {
                "aggregate": short(one.aggregate),
                "state": STATE_WORDS[freshness(one)],
                "words": f"{behind_words(one)}; {promise_words(one)}",
                "lag_s": _seconds(lag),
                "promised_s": _seconds(promised),
                "share": lag / promised if lag is not None and promised else None,
                "behind_now_s": _seconds(one.lag_behind(now)),
                "watermark": one.watermark,
                "newest_source_at": one.newest_source_at,
                "data_age_s": None if age is None else max(0.0, age.total_seconds()),
            }
        )
    frame = pd.DataFrame(rows, columns=list(FRESHNESS_DTYPES))
    for column in ("watermark", "newest_source_at"):
        frame[column] = instants(frame[column])
    return frame.astype(FRESHNESS_DTYPES)


_TROUBLES: dict[Freshness, tuple[str, str]] = {
    "late": ("is later than promised", "are later than promised"),
    "no policy": ("is never refreshed by itself", "are never refreshed by themselves"),
    "paused": ("has its refresh paused", "have their refresh paused"),
    "empty": ("is not filled yet", "are not filled yet"),
}


def freshness_verdict(aggregates: Sequence[Aggregate], now: datetime) -> Verdict:
    """All aggregates in one or two sentences: danger, lag, missing policies, and where the data have ended."""
    if not aggregates:
        return Verdict("info", "There are no continuous aggregates: every chart reads raw rows.")
    endangered = [one for one in aggregates if retention_conflict(one)]
    of_state: dict[Freshness, list[Aggregate]] = {state: [] for state in STATE_WORDS}
    for one in aggregates:
        of_state[freshness(one)].append(one)
    quiet = _quiet_words(aggregates, now)
    if endangered:
        return Verdict(
            "critical",
            f"{_named(endangered, 'loses', 'lose')} history at the next refresh after old rows have expired: the "
            f"refresh reaches further back than the source is kept.{quiet}",
        )
    wrong = [_named(of_state[state], *words) for state, words in _TROUBLES.items() if of_state[state]]
    if wrong:
        return Verdict("warning", f"{'; '.join(wrong)}.{quiet}")
    unknown = of_state["not known"]
    if unknown:
        return Verdict("info", f"How fresh {_named(unknown, 'is', 'are')} cannot be told.{quiet}")
    subject = "The only summary is" if len(aggregates) == 1 else f"All {len(aggregates)} summaries are"
    return Verdict("ok", f"{subject} as fresh as promised.{quiet}")


@dataclass(frozen=True)
class Summary:
    """All aggregates in numbers: how many can be ``judged`` and are ``fresh``; the one that uses most of its promise
    (name, share, in words); bytes and rows (None where not read)."""

    judged: int
    fresh: int
    worst: str | None
    worst_share: float | None
    worst_words: str
    size_bytes: int | None
    rows: int | None


def summary(aggregates: Sequence[Aggregate]) -> Summary:
    """The numbers at the head of the page."""
    states = [freshness(one) for one in aggregates]
    shares = [
        (lag / promised, one)
        for one in aggregates
        if one.scheduled and (lag := one.lag_behind_source) is not None and (promised := one.promised)
    ]
    worst = max(shares, key=lambda found: found[0], default=None)
    sizes = [one.size_bytes for one in aggregates if one.size_bytes is not None]
    rows = [one.rows for one in aggregates if one.rows is not None]
    return Summary(
        judged=states.count("fresh") + states.count("late") + states.count("empty"),
        fresh=states.count("fresh"),
        worst=short(worst[1].aggregate) if worst else None,
        worst_share=worst[0] if worst else None,
        worst_words=f"{behind_words(worst[1])}, {promise_words(worst[1])}" if worst else "",
        size_bytes=sum(sizes) if sizes else None,
        rows=sum(rows) if rows else None,
    )


def missing_aggregates(aggregates: Sequence[Aggregate], tables: Sequence[Table]) -> tuple[str, ...]:
    """Those that the policy set plans over the tables and that do not exist; none where its tables do not, either."""
    if absence(tables):
        return ()
    there = {short(one.aggregate) for one in aggregates}
    planned = (name for table in tables if table.expected for name in table.expected.aggregates)
    return tuple(name for name in planned if name not in there)


@dataclass(frozen=True)
class Node:
    """One box of the hierarchy. ``column`` is the level (0: the source hypertable), ``row`` counts from the top.

    ``parent`` is the ``name`` of the box that it reads, None for sources. ``lines`` stand under the name.
    ``freshness`` is None for sources. ``about`` is the long form.
    """

    name: str
    parent: str | None
    column: int
    row: float
    freshness: Freshness | None
    lines: tuple[str, ...]
    about: tuple[str, ...]


def hierarchy(aggregates: Sequence[Aggregate], tables: Sequence[Table], now: datetime) -> tuple[Node, ...]:
    """The boxes from source tables (left) to the coarsest aggregates (right); leaves get a row each."""
    children: dict[str, list[Aggregate]] = {}
    for one in aggregates:
        children.setdefault(one.source, []).append(one)
    ends = {end.source: end for end in data_ends(aggregates, now)}
    nodes: list[Node] = []
    rows = 0

    def place(name: str, column: int, own: Aggregate | None, parent: str | None) -> float:
        nonlocal rows
        below = [place(child.aggregate, column + 1, child, name) for child in children.get(name, ())]
        if below:
            row = below[0]
        else:
            row, rows = float(rows), rows + 1
        nodes.append(_node(own, parent, column, row) if own else _source_node(name, row, tables, ends.get(name), now))
        return row

    for root in dict.fromkeys(one.root for one in aggregates):
        place(root, 0, None, None)
    return tuple(sorted(nodes, key=lambda node: (node.column, node.row)))


WINDOW_DTYPES = {
    "aggregate": "str", "source": "str", "window": "str", "end_s": "float64", "reach_s": "float64", "kept_s": "float64",
    "own_kept_s": "float64", "is_unlimited": "bool", "conflict": "str",
}  # fmt: skip
"""``reach_s``: how far back a refresh may look (start_offset + schedule), missing where ``is_unlimited``; ``kept_s``
and ``own_kept_s``: how long source and aggregate are kept, missing for ever; ``conflict``: ``retention_conflict``."""


def window_frame(aggregates: Sequence[Aggregate]) -> pd.DataFrame:
    """Refresh windows against the retention of what they read, for aggregates with a policy (``WINDOW_DTYPES``)."""
    rows = [
        {
            "aggregate": short(one.aggregate),
            "source": short(one.source),
            "window": window_words(one),
            "end_s": _seconds(one.end_offset) or 0.0,
            "reach_s": None
            if one.start_offset is None
            else _seconds(one.start_offset + (one.schedule_interval or timedelta(0))),
            "kept_s": _seconds(one.source_drop_after),
            "own_kept_s": _seconds(one.drop_after),
            "is_unlimited": one.start_offset is None,
            "conflict": retention_conflict(one),
        }
        for one in aggregates
        if one.has_policy
    ]
    return pd.DataFrame(rows, columns=list(WINDOW_DTYPES)).astype(WINDOW_DTYPES)


def conflicts(aggregates: Sequence[Aggregate]) -> list[tuple[Aggregate, str]]:
    """The aggregates whose refresh would erase history, each with the sentence that says why."""
    return [(one, why) for one in aggregates if (why := retention_conflict(one))]


SETTING_DTYPES = {
    "aggregate": "str", "source": "str", "bucket": "str", "window": "str", "every": "str", "reads": "str",
    "kept": "str", "compressed": "str", "rows": "Int64", "size_bytes": "Int64", "chunks": "int64", "job_id": "Int64",
}  # fmt: skip


def settings_frame(aggregates: Sequence[Aggregate], tables: Sequence[Table]) -> pd.DataFrame:
    """How each aggregate is set up, in words, with its rows and size (``SETTING_DTYPES``)."""
    rows = []
    for one in aggregates:
        table = table_named(tables, one.aggregate)
        rows.append(
            {
                "aggregate": short(one.aggregate),
                "source": short(one.source),
                "bucket": bucket_words(one),
                "window": window_words(one),
                "every": _every(one),
                "reads": "materialized only" if one.materialized_only else "real-time",
                "kept": interval_text(one.drop_after) if one.drop_after is not None else "for ever",
                "compressed": _compressed(one, table),
                "rows": one.rows,
                "size_bytes": one.size_bytes,
                "chunks": one.chunks,
                "job_id": one.job_id,
            }
        )
    return pd.DataFrame(rows, columns=list(SETTING_DTYPES)).astype(SETTING_DTYPES)


def bucket_words(aggregate: Aggregate) -> str:
    """The bucket: ``1 min``, ``7 days``, or as the server writes it."""
    if aggregate.bucket_width is not None:
        return interval_text(aggregate.bucket_width)
    return aggregate.bucket_text or MISSING


LAG_POINTS = 2_000
LAG_SPAN = timedelta(days=1)
"""Own choice: over less than a day a line of lags says little, and replayed months say more."""


def lag_origin(stored: pd.DataFrame, own: str) -> str:
    """Whose lags are drawn: the environment's own where they span ``LAG_SPAN``, or nothing was replayed."""
    taken = stored[stored["origin"] == own]["taken_at"]
    is_long = len(taken) > 1 and taken.max() - taken.min() >= LAG_SPAN
    return own if is_long or "replayed" not in set(stored["origin"]) else "replayed"


def lag_history(stored: pd.DataFrame, aggregates: Sequence[Aggregate], points: int = LAG_POINTS) -> pd.DataFrame:
    """Stored lags over time: taken_at, aggregate, lag_s, promised_s (of today's policy), share.

    ``stored`` is the history's query ``aggregate_snapshots``, of one origin. At most ``points`` rows: of snapshots
    close together the worst stays.
    """
    promised = {one.aggregate: one.promised.total_seconds() for one in aggregates if one.promised}
    found = stored[stored["aggregate_name"].isin(list(promised)) & stored["lag_seconds"].notna()]
    frame = pd.DataFrame(
        {
            "taken_at": instants(found["taken_at"]),
            "name": found["aggregate_name"].astype("str"),
            "lag_s": found["lag_seconds"].astype("float64"),
        }
    )
    frame["promised_s"] = frame["name"].map(promised).astype("float64")
    frame["share"] = frame["lag_s"] / frame["promised_s"]
    frame["aggregate"] = frame["name"].map(short).astype("str")
    if len(frame) > points:
        slots = max(1, points // max(1, frame["name"].nunique()))
        since, until = frame["taken_at"].min(), frame["taken_at"].max()
        slot = (frame["taken_at"] - since) // max((until - since) / slots, pd.Timedelta(microseconds=1))
        worst = frame.groupby([frame["name"], slot.clip(upper=slots - 1)])["share"].idxmax()
        frame = frame.loc[worst.sort_values()]
    columns = ["taken_at", "aggregate", "lag_s", "promised_s", "share"]
    return frame[columns].sort_values("taken_at", kind="stable").reset_index(drop=True)


def _node(one: Aggregate, parent: str | None, column: int, row: float) -> Node:
    behind, promise = behind_words(one).removesuffix(" its source").removesuffix(" with"), promise_words(one)
    return Node(
        name=one.aggregate,
        parent=parent,
        column=column,
        row=row,
        freshness=freshness(one),
        lines=(f"{bucket_words(one)} buckets, {bytes_text(one.size_bytes)}", behind, promise),
        about=(
            f"{bucket_words(one)} buckets of {short(one.source)}, {bytes_text(one.size_bytes)}",
            behind_words(one),
            promise_words(one),
            f"refreshes {window_words(one)}, {_every(one)}" if one.has_policy else "nothing refreshes it",
            "reads what is materialized only" if one.materialized_only else "real-time: adds what is not refreshed yet",
            f"filled up to {one.watermark:%Y-%m-%d %H:%M} UTC" if one.watermark else "not filled yet",
        ),
    )


def _source_node(name: str, row: float, tables: Sequence[Table], end: DataEnd | None, now: datetime) -> Node:
    table = table_named(tables, name)
    size = bytes_text(table.size_bytes if table else None)
    newest = f"newest row {ago_text(end.newest, now)}" if end else "newest row not known"
    quiet = ("nothing newer has come in",) if end and end.quiet else ()
    return Node(name, None, 0, row, None, (f"raw rows, {size}", newest, *quiet), (f"hypertable, {size}", newest))


def _every(one: Aggregate) -> str:
    if not one.has_policy:
        return "never"
    return f"every {interval_text(one.schedule_interval)}" + ("" if one.scheduled else " (paused)")


def _compressed(one: Aggregate, table: Table | None) -> str:
    if not one.compression_enabled:
        return "no"
    return f"{table.compressed_chunks} of {table.chunks} chunks" if table else "yes"


def _quiet_words(aggregates: Sequence[Aggregate], now: datetime) -> str:
    """What is to be said of data that have ended, which is no lag of an aggregate."""
    ends = data_ends(aggregates, now)
    quiet = [end for end in ends if end.quiet]
    if not quiet:
        return ""
    if len(quiet) == len(ends):
        return f" The data themselves end {ago_text(ends[0].newest, now)}: nothing newer has come in."
    names = ", ".join(f"{short(end.source)} ({ago_text(end.newest, now)})" for end in quiet)
    return f" No new rows have come in for a while in {names}."


def _named(aggregates: Sequence[Aggregate], one: str, many: str) -> str:
    if len(aggregates) == 1:
        return f"{short(aggregates[0].aggregate)} {one}"
    return f"{len(aggregates)} summaries {many}"


def _seconds(interval: timedelta | None) -> float | None:
    return None if interval is None else interval.total_seconds()
