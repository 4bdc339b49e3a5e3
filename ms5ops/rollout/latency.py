"""How long the two queries of the criteria take: the newest rows of one entity, of a table and of an aggregate.

They are asked of what the policy set is about: of its largest table, and of the aggregate over it whose buckets are
nearest to an hour. The entity is a value of the first column that segments the table, as a dashboard asks for one.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ms5ops.database import Session
from ms5ops.observe.server import Server, quoted
from ms5ops.observe.tables import Table
from ms5ops.policy.document import PolicySet, TablePolicy
from ms5ops.queries import ANY_VERSION, Version, query
from ms5ops.units import instant_text

FOLDER = "rollout/checks"
RECENT_MS, AGGREGATE_MS = 100.0, 50.0
"""Spec: recent-data queries < 100 ms; aggregate queries < 50 ms."""

RUNS = 7
"""Timed runs of each query after one that is not counted; the median is judged (a first run pays for caches)."""

WITHIN = ("1 hour", "1 day", "30 days")
AGGREGATES_PRUNED_FROM = (2, 14, 0)
"""Older versions plan the part of an aggregate that is not yet filled over all chunks of its source (TS#6325)."""

_HOUR = timedelta(hours=1)
_NO_ENTITY = "''"
"""In place of a column where nothing segments a table: equal to itself, so that all rows of the span are asked for."""


@dataclass(frozen=True)
class Asked:
    """One of the two queries. ``source`` is the table in which an entity is looked for, ``relation`` what is read."""

    source: TablePolicy
    relation: str
    time_column: str
    span: str

    @property
    def entity_column(self) -> str | None:
        """The column whose value a dashboard asks for."""
        return next(iter(self.source.segment_by), None)


@dataclass(frozen=True)
class Latency:
    """What was measured: milliseconds of each timed run, rows of a run, and of whom.

    ``planning_ms``: of the query planned once more without running it; None where it was not asked for.
    """

    samples: tuple[float, ...]
    rows: int
    of: str
    planning_ms: float | None

    @property
    def median_ms(self) -> float:
        """The median of the timed runs."""
        return statistics.median(self.samples)


def recent(policy: PolicySet, tables: Sequence[Table]) -> Asked | None:
    """The newest hour of the largest table (by the planner's count of rows); None where the set has no table."""
    chosen = _largest(policy, tables)
    if chosen is None:
        return None
    return Asked(chosen, policy.qualified(chosen.name), chosen.time_column, "1 hour")


def aggregated(policy: PolicySet, tables: Sequence[Table]) -> Asked | None:
    """The newest day of an aggregate, of the largest table where that has any; None where there is none (yet)."""
    largest = _largest(policy, tables)
    chosen = min(
        policy.active_aggregates,
        key=lambda one: (largest is None or policy.root(one.name) != largest.name, abs(one.bucket - _HOUR)),
        default=None,
    )
    name = policy.qualified(chosen.name) if chosen else None
    column = next((one.time_column for one in tables if one.qualified == name), None)
    if chosen is None or name is None or column is None:
        return None
    return Asked(policy.tables[policy.root(chosen.name)], name, column, "1 day")


def measure(server: Server, asked: Asked, budget_ms: float) -> Latency | None:
    """Time the query over one held connection; None where the table has no rows of the last 30 days.

    With a connection of its own, or a psql of its own, it would cost 19 to 82 ms more (catalogue-queries.md).
    """
    entity = asked.entity_column
    source = f"{asked.relation.partition('.')[0]}.{asked.source.name}"
    with server.database.session() as session:
        if entity is not None and asked.relation != source:
            named = {"relation": asked.relation, "column": entity}
            there = session.rows(query(FOLDER, "has_column", ANY_VERSION).sql, named)[0]["there"]
            entity = entity if there else None
        # Widening: an unbounded search for the newest row took seconds, one bounded to a day 1.5 ms.
        newest = _sql("recent_entity", source, asked.source.time_column, entity)
        searches = (session.rows(newest, {"within": within}) for within in WITHIN)
        picked = next(filter(None, searches), None)
        if picked is None:
            return None
        sql = _sql("newest_rows", asked.relation, asked.time_column, entity)
        parameters = {**picked[0], "span": asked.span}
        samples, rows = [], 0
        for _ in range(RUNS + 1):
            began = time.perf_counter()
            rows = len(session.rows(sql, parameters))
            samples.append((time.perf_counter() - began) * 1000)
        timed = tuple(samples[1:])
        is_slow = statistics.median(timed) >= budget_ms
        planning = _planning_ms(session, sql, parameters) if is_slow else None
    of = f"{entity} {picked[0]['entity']}" if entity else "all of it"
    return Latency(timed, rows, f"{of}, {asked.span} up to {instant_text(picked[0]['newest'])}", planning)


def slow_advice(median_ms: float, planning_ms: float, version: Version) -> str:
    """What to do about a query that misses its budget, by where most of its time goes."""
    if planning_ms < median_ms / 2:
        return "See Indexes for what is missing or bloated."
    newer = (
        f", and so does TimescaleDB {AGGREGATES_PRUNED_FROM[0]}.{AGGREGATES_PRUNED_FROM[1]} or newer"
        if version < AGGREGATES_PRUNED_FROM
        else ""
    )
    return f"Most of it is planning, which grows with the number of chunks: longer chunks help{newer}."


def _largest(policy: PolicySet, tables: Sequence[Table]) -> TablePolicy | None:
    rows = {table.qualified: table.rows or 0 for table in tables}
    return max(policy.active_tables, key=lambda one: rows.get(policy.qualified(one.name), 0), default=None)


def _sql(name: str, relation: str, time_column: str, entity: str | None) -> str:
    schema, _, bare = relation.partition(".")
    sql = query(FOLDER, name, ANY_VERSION).sql.replace("{relation}", quoted(schema, bare))
    return sql.replace("{time}", quoted(time_column)).replace("{entity}", quoted(entity) if entity else _NO_ENTITY)


def _planning_ms(session: Session, sql: str, parameters: dict[str, Any]) -> float:
    (row,) = session.rows(f"EXPLAIN (FORMAT JSON, SUMMARY) {sql}", parameters)
    (plan,) = row["QUERY PLAN"]
    return float(plan["Planning Time"])
