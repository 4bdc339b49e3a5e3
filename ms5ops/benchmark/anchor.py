"""What the questions are asked of: the instant they take as now, the spans before it, and what the choices give.

All of it is chosen before anything is timed and kept with the run, so that a run can be repeated at a past instant.
Spans are sent as instants, not as ``now() - interval``: so do dashboards (Grafana's $__timeFrom), and TimescaleDB
leaves out chunks while it plans only where it sees an instant.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ms5ops.benchmark.scratch import FOLDER
from ms5ops.benchmark.suite import NAME, NEWEST, NEWEST_COLUMN, Suite, bound, gives
from ms5ops.database import Database
from ms5ops.errors import BenchmarkError, FeatureMissing, ServerError, ServerUnreachable
from ms5ops.queries import ANY_VERSION, Query, query

_OF_THE_TEXT = (ServerError, FeatureMissing)
"""What the server says of a statement that is wrong; of the others the errors themselves say what to do."""


@dataclass(frozen=True)
class Choice:
    """The anchor, and the parameters of every question by name.

    By the names of parameters that were chosen: ``words``, what was ("metric": "PRESS-01 temperature"), and
    ``nothing``, why nothing was.
    """

    anchor: datetime
    parameters: Mapping[str, object]
    words: Mapping[str, str]
    nothing: Mapping[str, str] = field(default_factory=dict)

    def asked_of(self, *variants: Query) -> dict[str, str]:
        """What these are asked of, in words by parameter."""
        asked = {name for variant in variants for name in variant.params}
        return {name: words for name, words in self.words.items() if name in asked}

    def why_not(self, *variants: Query) -> str | None:
        """Why one of these cannot be asked, in a sentence; None where all can."""
        return next((self.nothing[name] for one in variants for name in one.params if name in self.nothing), None)


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


def choose(suite: Suite, database: Database, schema: str, anchor: datetime | None, now: datetime) -> Choice:
    """The given anchor, or the newest sample (but not later than ``now``); what the choices find before it.

    BenchmarkError where the database holds no telemetry to ask for, or not the tables that the suite asks.
    """
    newest = _row(suite, suite.choices[NEWEST], database, schema, {}).get(NEWEST_COLUMN)
    file = suite.choices[NEWEST].file
    if newest is None:
        raise BenchmarkError(
            f"The schema {schema} holds no samples: {file} finds no newest one, so there is nothing to measure.",
            "Let telemetry come in, or fill the sandbox: python -m ms5ops sandbox fill.",
        )
    if not isinstance(newest, datetime) or newest.tzinfo is None:
        raise BenchmarkError(
            f"{file} gives {str(newest)[:60]!r}, which is no instant with a time zone.",
            f"Let it give a timestamptz (AT TIME ZONE 'UTC') as {NEWEST_COLUMN}.",
        )
    at = (anchor or min(newest, now)).astimezone(UTC).replace(microsecond=0)
    instants = spans(at)
    parameters, words, nothing = dict(instants), {}, {}
    for name, choice in suite.choices.items():
        if name == NEWEST:
            continue
        row = _row(suite, choice, database, schema, instants)
        for place, parameter in enumerate(gives(choice)):
            value = parameters[parameter] = row.get(parameter)
            if isinstance(value, dict):
                told = f"{choice.file} gives a json document as {parameter}, which cannot be asked with."
                raise BenchmarkError(told, "Let it give a text or a number.")
            if value is None:
                nothing[parameter] = f"{choice.file.name} found no {parameter} to ask about."
            else:
                words[parameter] = str(row.get(NAME, value) if place == 0 else value)
    return Choice(at, parameters, words, nothing)


def relations(database: Database, schema: str) -> frozenset[str]:
    """The tables, aggregates and views of the schema."""
    found = query(FOLDER, "relations", ANY_VERSION)
    return frozenset(row["name"] for row in database.rows(found.sql, {"schema": schema}))


def _row(
    suite: Suite, choice: Query, database: Database, schema: str, parameters: Mapping[str, object]
) -> dict[str, Any]:
    """The first row that a choice finds; empty where there is none."""
    try:
        found = database.rows(*bound(choice, schema, parameters))
    except ServerUnreachable:
        raise
    except ServerError as error:
        raise BenchmarkError(f"{choice.file} cannot be asked. {error.happened}", _remedy(error, suite)) from error
    row = next(iter(found), {})
    lacking = [column for column in choice.columns if row and column not in row]
    if lacking:
        raise BenchmarkError(
            f"{choice.file} gives no column {lacking[0]}, which its header names.", "Correct its header."
        )
    return row


def _remedy(error: ServerError, suite: Suite) -> str:
    if isinstance(error, FeatureMissing) and suite.folder is None:
        return (
            "The questions that come with ms5ops ask MS5.0's tables: check the environment's schema, or name a folder"
            " of questions for your own tables (docs/benchmarks.md)."
        )
    return "Correct the file, or the environment's schema." if type(error) in _OF_THE_TEXT else error.next_step
