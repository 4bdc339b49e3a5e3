"""What the questions are asked of: the instant they take as now, the spans before it, one metric and one line.

All of it is chosen before anything is timed and kept with the run, so that a run can be repeated at a past instant.
Spans are sent as instants, not as ``now() - interval``: so do dashboards (Grafana's $__timeFrom), and TimescaleDB
leaves out chunks while it plans only where it sees an instant.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ms5ops.benchmark.suite import CHOICES, bound
from ms5ops.database import Database
from ms5ops.errors import BenchmarkError
from ms5ops.queries import ANY_VERSION, query


@dataclass(frozen=True)
class Choice:
    """The anchor, the parameters of every question by name, and what was chosen in words ("metric", "line")."""

    anchor: datetime
    parameters: Mapping[str, object]
    words: Mapping[str, str]


def spans(anchor: datetime) -> dict[str, object]:
    """The instants that questions ask from and to (UTC): whole buckets, so that raw data and aggregate answer alike.

    A month is four weeks: Phase 4's long-term group is under a month.
    """
    minute = anchor.replace(second=0, microsecond=0)
    hour = minute.replace(minute=0)
    day = hour.replace(hour=0)
    return {
        "anchor": anchor,
        "hour_before": anchor - timedelta(hours=1),
        "day_before": anchor - timedelta(days=1),
        "week_before": anchor - timedelta(days=7),
        "this_minute": minute,
        "day_before_minute": minute - timedelta(days=1),
        "this_hour": hour,
        "day_before_hour": hour - timedelta(days=1),
        "week_before_hour": hour - timedelta(days=7),
        "this_day": day,
        "month_before_day": day - timedelta(days=28),
    }


def choose(database: Database, schema: str, anchor: datetime | None, now: datetime) -> Choice:
    """The given anchor, or the newest sample (but not later than ``now``); the busiest metric and line before it.

    BenchmarkError where the database holds no telemetry to ask for.
    """
    newest = _first(database, schema, "newest_sample", {}).get("newest")
    if newest is None:
        raise BenchmarkError(
            f"The table {schema}.metric_hist holds no samples, so there is nothing to measure.",
            "Let telemetry come in, or fill the sandbox: python -m ms5ops sandbox fill.",
        )
    at = (anchor or min(newest, now)).astimezone(UTC).replace(microsecond=0)
    parameters = spans(at)
    metric = _first(database, schema, "busiest_metric", parameters)
    line = _first(database, schema, "busiest_line", parameters)
    if not metric:
        raise BenchmarkError(
            f"The table {schema}.metric_def names no metric of type REAL.", "Check the environment's schema."
        )
    words = {"metric": str(metric["name"]), "line": str(line.get("name", "none"))}
    return Choice(at, {**parameters, "metric": metric["metric"], "line": line.get("line")}, words)


def relations(database: Database, schema: str) -> frozenset[str]:
    """The tables, aggregates and views of the schema."""
    found = query(CHOICES, "relations", ANY_VERSION)
    return frozenset(row["name"] for row in database.rows(found.sql, {"schema": schema}))


def _first(database: Database, schema: str, name: str, parameters: Mapping[str, object]) -> dict[str, Any]:
    sql, values = bound(query(CHOICES, name, ANY_VERSION), schema, parameters)
    return next(iter(database.rows(sql, values)), {})
