"""A policy set for a database as it is: its hypertables, their policies and aggregates, written as a person would.

It is where a rollout begins on tables that are not MS5.0's: from then on every change is an edit of it. What a policy
set cannot say is left out, with the reason; what a plan by it would still change is told, so nobody is surprised.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import ValidationError
from tomlkit.items import Item

from ms5ops import paths, strict
from ms5ops.errors import RolloutError
from ms5ops.observe.server import Server
from ms5ops.policy.document import PolicySet, default_policy
from ms5ops.policy.entries import COLUMN_TYPE
from ms5ops.policy.intervals import interval_sql
from ms5ops.policy.names import plain_name
from ms5ops.queries import query
from ms5ops.rollout.plan import make_plan
from ms5ops.rollout.records import AggregateState, JobState, State, TableState, span
from ms5ops.rollout.state import read_state
from ms5ops.units import instant_text

_BUCKET = re.compile(r"(?<=time_bucket\()'([^']+)'(?=::interval)")
_ZONED = re.compile(r"^timestamp(?:\(\d\))? with time zone$")
_KINDS = ("compression", "retention")
_COUNTED = ("max_background_workers", "max_worker_processes", "max_locks_per_transaction")
_AUTOVACUUM = ("vacuum_scale_factor", "analyze_scale_factor")


@dataclass(frozen=True)
class Adopted:
    """A policy set as text (TOML), what it holds, and one sentence on each thing that it leaves out.

    ``remaining``: the operations that a plan by it would have, in words.
    """

    text: str
    tables: tuple[str, ...]
    aggregates: tuple[str, ...]
    left_out: tuple[str, ...]
    remaining: tuple[str, ...]


def adopt(server: Server, plain_tables: Mapping[str, str] | None = None) -> Adopted:
    """The policy set that asks for what the server's schema has.

    ``plain_tables``: plain tables to be taken up too, switched off, with their time columns. RolloutError where the
    schema has no hypertable and none is named, a named one is not there or is a hypertable, or nothing could be taken
    up; raises as ``read_state``.
    """
    times, left_out = _time_columns(server)
    for name, column in (plain_tables or {}).items():
        if name in times:
            raise RolloutError(f"{name} is a hypertable already.", "Leave its --table out.")
        times[name] = column
    if not times and not left_out:
        raise _nothing_there(server)
    state = read_state(server, _looked_for(server.schema, times))
    missing = [name for name in times if state.table(name).kind == "missing"]
    if missing:
        raise RolloutError(
            f"There is no table {server.schema}.{missing[0]}.", "Check its name, and the environment's schema."
        )
    draft = _drafted(state, times, _bodies(server), left_out)
    if not draft.tables:
        raise RolloutError(
            f"Nothing of the schema {server.schema} can be said in a policy set: {'; '.join(left_out[:3])}.",
            "Change that in the database first, or name plain tables with --table.",
        )
    policy = draft.policy()
    remaining = tuple(
        f"{one.title}: {one.actual} -> {one.desired}"
        for one in make_plan(read_state(server, policy), policy).operations
    )
    text = _toml(draft.document, state, left_out, remaining, server.read_at)
    return Adopted(text, draft.tables, draft.aggregates, tuple(left_out), remaining)


def _time_columns(server: Server) -> tuple[dict[str, str], list[str]]:
    """Of each hypertable of the schema that a policy set can name, its time column; and why the others are left out."""
    found, left_out = {}, []
    for row in server.rows("hypertables"):
        if row["schema_name"] != server.schema or row["kind"] != "hypertable":
            continue
        name, column = row["table_name"], row["time_column"]
        try:
            plain_name(name)
            plain_name(column)
        except ValueError as error:
            left_out.append(f"{name}: {error}")
            continue
        if row["time_type"] != "timestamp with time zone":
            left_out.append(
                f"{name}: its time column {column} is {row['time_type']}, and a policy set wants timestamptz"
            )
            continue
        found[name] = column
    return found, left_out


def _nothing_there(server: Server) -> RolloutError:
    elsewhere = Counter(row["schema_name"] for row in server.rows("hypertables") if row["kind"] == "hypertable")
    listed = ", ".join(f"{schema} ({count})" for schema, count in elsewhere.most_common(5))
    where = f"hypertables are in {listed}" if listed else "nor in any other schema of the database"
    return RolloutError(
        f"The schema {server.schema} holds no hypertable; {where}.",
        "Set the environment's schema (schema in ms5ops.toml, or DB_SCHEMA), or name plain tables with --table.",
    )


def _looked_for(schema: str, times: Mapping[str, str]) -> PolicySet:
    """A set that names the tables, so that their state can be read."""
    tables = {
        name: {
            "columns": {column: "timestamptz"}, "time_column": column, "chunk_interval": "7 days", "segment_by": [],
            "order_by": [column], "compress_after": "never", "drop_after": "never",
        }
        for name, column in times.items()
    }  # fmt: skip
    try:
        return PolicySet.model_validate({"schema": schema, "schedules": default_policy().schedules, "tables": tables})
    except ValidationError as error:
        raise RolloutError(
            f"No policy set can be written: {_reason(error)}", "It names schema, tables and columns without quotes."
        ) from error


def _reason(error: ValidationError) -> str:
    return strict.explain(error, Path("set"), PolicySet).removeprefix("set: ")


def _bodies(server: Server) -> dict[str, str]:
    """The SELECT of each aggregate of the schema by its bare name, with every name in it qualified."""
    with server.database.session() as session:
        session.run("BEGIN")
        session.run("SET LOCAL search_path = ''")
        rows = session.rows(query("rollout", "aggregate_definitions", server.version).sql)
        session.run("ROLLBACK")
    return {row["view_name"]: row["definition"] for row in rows if row["schema_name"] == server.schema}


# From the state to the text ---------------------------------------------------------------------------------------


def _drafted(state: State, times: Mapping[str, str], bodies: Mapping[str, str], left_out: list[str]) -> "_Draft":
    """All that can be said of the tables and aggregates; why the others cannot is added to ``left_out``."""
    draft = _Draft(state, left_out)
    for name, column in times.items():
        draft.take("tables", name, lambda name=name, column=column: _table(state, state.table(name), column))  # type: ignore[misc]
    waiting = list(state.aggregates)
    while ready := [one for one in waiting if draft.holds(_bare(one.source))]:
        for one in ready:
            waiting.remove(one)
            draft.take("aggregates", _bare(one.name), lambda one=one: _aggregate(state, one, bodies))  # type: ignore[misc]
    left_out.extend(f"{_bare(one.name)}: {one.source} is not in the set" for one in waiting)
    return draft


class _Draft:
    """A document that is a valid policy set at any time: what would not be one is left out, and why."""

    def __init__(self, state: State, left_out: list[str]) -> None:
        self._state = state
        self._left_out = left_out
        self.document: dict[str, Any] = {
            "schema": state.schema,
            "schedules": {kind: _usual(kind) for kind in _KINDS},
            "tables": {},
            "aggregates": {},
            "settings": {},
        }
        for kind in _KINDS:
            schedules = {**self.document["schedules"], kind: _schedule(state, kind)}
            self._change("schedules", schedules, f"the schedule of {kind}")
        self._change("settings", {"server": _server_settings(state)}, "the server's settings")

    @property
    def tables(self) -> tuple[str, ...]:
        return tuple(self.document["tables"])

    @property
    def aggregates(self) -> tuple[str, ...]:
        return tuple(self.document["aggregates"])

    def policy(self) -> PolicySet:
        return PolicySet.model_validate(self.document, context={"sql_folder": paths.SQL})

    def holds(self, name: str) -> bool:
        return name in self.document["tables"] or name in self.document["aggregates"]

    def take(self, kind: str, name: str, entry: Callable[[], dict[str, Any]]) -> None:
        try:
            made = entry()
        except ValueError as error:
            self._left_out.append(f"{name}: {error}")
        else:
            self._change(kind, {**self.document[kind], name: made}, name)

    def _change(self, part: str, value: Mapping[str, Any], name: str) -> None:
        former = self.document
        self.document = {**former, part: value}
        try:
            self.policy()
        except ValidationError as error:
            self.document = former
            self._left_out.append(f"{name}: {_reason(error)}")


def _table(state: State, table: TableState, time_column: str) -> dict[str, Any]:
    """One table of the policy set as it is; ValueError where the set has no words for it."""
    if table.dimensions > 1:
        raise ValueError(f"it is partitioned by {table.dimensions} dimensions, and a policy set plans for one")
    if table.compression_enabled and not table.order_by:
        raise ValueError(
            "its compression leaves segments or order to the server, and a policy set names both: set "
            "compress_segmentby and compress_orderby first"
        )
    is_hypertable = table.kind == "hypertable"
    interval = table.chunk_interval if is_hypertable else "7 days"  # TimescaleDB's default, for what is switched off
    columns = {}
    for one in table.columns:
        shown = _ZONED.sub("timestamptz", one.type)
        if _is_plain(one.name):  # the others have no name that a policy set could say
            columns[one.name] = shown if re.fullmatch(COLUMN_TYPE, shown) else "other"
    entry: dict[str, Any] = {} if is_hypertable else {"enabled": False}
    entry |= {
        "columns": columns,
        "time_column": time_column,
        "chunk_interval": _fixed(interval, "chunk interval"),
        "segment_by": list(table.segment_by),
        "order_by": list(table.order_by) or [f"{time_column} DESC"],
        "compress_after": _age(state, table.name, "compression", "compress_after"),
        "drop_after": _age(state, table.name, "retention", "drop_after"),
    }
    options = dict(one.split("=", 1) for one in table.options)
    shares = {part: float(options.get(f"autovacuum_{part}", 0)) for part in _AUTOVACUUM}
    if all(0 < share <= 1 for share in shares.values()):
        entry["autovacuum"] = shares
    start = next((_time_of_day(job) for job in state.jobs_of(table.name, "retention")), None)
    if start is not None:
        entry["retention_start"] = start
    return entry


def _aggregate(state: State, aggregate: AggregateState, bodies: Mapping[str, str]) -> dict[str, Any]:
    """One aggregate of the policy set as it is; ValueError where the set has no words for it."""
    jobs = _running(state, aggregate.name, "refresh")
    if not jobs:
        raise ValueError("it has no refresh policy, and a policy set gives every aggregate one")
    if len(jobs) > 1:
        raise ValueError(f"it has {len(jobs)} refresh policies, and a policy set gives every aggregate one")
    config = jobs[0].config
    body = _BUCKET.sub(lambda match: f"'{_fixed(match[1], 'bucket')}'", bodies[_bare(aggregate.name)])
    widths = set(_BUCKET.findall(body))
    if len(widths) != 1:
        raise ValueError(f"it groups by {len(widths) or 'no'} widths of time_bucket that have a fixed length")
    if config.get("end_offset") is None:
        raise ValueError("it is refreshed up to the very end (end_offset NULL), and a policy set wants an end_offset")
    start = config.get("start_offset")
    entry: dict[str, Any] = {
        "source": _bare(aggregate.source),
        "bucket": widths.pop(),
        "body": body.strip().removesuffix(";"),
        "start_offset": "unbounded" if start is None else _fixed(start, "start_offset"),
        "end_offset": _fixed(config["end_offset"], "end_offset"),
        "schedule_interval": _fixed(jobs[0].schedule_interval, "schedule interval"),
        "materialized_only": aggregate.materialized_only,
        "chunk_interval": _fixed(aggregate.chunk_interval, "chunk interval"),
    }
    ages = {
        "compress_after": _age(state, aggregate.name, "compression", "compress_after"),
        "drop_after": _age(state, aggregate.name, "retention", "drop_after"),
    }
    return entry | {key: value for key, value in ages.items() if value != "never"}


def _running(state: State, relation: str, kind: str) -> tuple[JobState, ...]:
    """Its jobs of a kind; ValueError where one is paused, since a policy set would start it again."""
    jobs = state.jobs_of(relation, kind)
    if not all(job.scheduled for job in jobs):
        raise ValueError(f"its {kind} policy is paused, and by a policy set it would run")
    return jobs


def _age(state: State, relation: str, kind: str, key: str) -> str:
    jobs = _running(state, relation, kind)
    if not jobs:
        return "never"
    if key not in jobs[0].config:
        raise ValueError(f"its {kind} policy goes by {', '.join(sorted(jobs[0].config))}, and a policy set by {key}")
    return _fixed(jobs[0].config[key], key)


def _usual(kind: str) -> dict[str, Any]:
    """The schedule of the set that comes with ms5ops."""
    return dict(getattr(default_policy().schedules, kind).model_dump(mode="json", exclude_none=True))


def _schedule(state: State, kind: str) -> dict[str, Any]:
    """The schedule that most jobs of that kind have, with the usual time of grace; where there is none, the usual."""
    found = Counter(tuple(_times(job).items()) for job in state.jobs if job.kind == kind and _is_fixed(job))
    if not found:
        return _usual(kind)
    most = {key: value for key, value in found.most_common(1)[0][0] if value is not None}
    return {**most, "first_run_after_days": _usual(kind)["first_run_after_days"]}


def _server_settings(state: State) -> dict[str, Any]:
    """The settings that only an administrator can change, as they are: what the set's own rules count with."""
    numbers = {one.name.removeprefix("timescaledb."): one.number for one in state.server_settings}
    return {name: int(number) for name in _COUNTED if (number := numbers.get(name)) is not None}


def _times(job: JobState) -> dict[str, Any]:
    return {
        "every": _fixed(job.schedule_interval, "schedule"),
        "max_runtime": _fixed(job.max_runtime, "limit"),
        "retry_period": _fixed(job.retry_period, "retry period"),
        "max_retries": job.max_retries,
        "initial_start": _time_of_day(job),
    }


def _is_fixed(job: JobState) -> bool:
    return all(span(text) is not None for text in (job.schedule_interval, job.max_runtime, job.retry_period))


def _time_of_day(job: JobState) -> str | None:
    if not job.fixed_schedule or job.initial_start is None:
        return None
    return f"{datetime.fromisoformat(job.initial_start):%H:%M}"


def _fixed(text: Any, what: str) -> str:
    """An interval as a policy set writes it; ValueError where it has no fixed length."""
    found = span(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"its {what} is {text}, which has no fixed length of time")
    return interval_sql(found)


def _is_plain(name: str) -> bool:
    try:
        plain_name(name)
    except ValueError:
        return False
    return True


def _bare(qualified: str) -> str:
    return qualified.partition(".")[2]


def _toml(
    document: Mapping[str, Any], state: State, left_out: Sequence[str], remaining: Sequence[str], at: datetime
) -> str:
    text = tomlkit.document()
    plan = ["What a plan by it would change as it stands:", *(f"  {one}" for one in remaining)]
    reasons = ["", "Left out, because a policy set has no words for it:", *(f"  {one}" for one in left_out)]
    for line in (
        f"The schema {state.schema} of the database {state.database_name} as it was on {instant_text(at)}.",
        "",
        *(plan if remaining else ["Planned by this, nothing is to do; edit it, and the plan shows what that changes."]),
        *(reasons if left_out else []),
        "",
        "Intervals are of fixed length (7 days, 12 hours) or, where an age may be without end, never; times of day are",
        "UTC. Indexes, views, jobs and settings can be added as the set that comes with ms5ops writes them.",
    ):
        text.add(tomlkit.comment(" ".join(line.split()) if "\n" in line else line))
    text.add(tomlkit.nl())
    text.add("schema", tomlkit.item(document["schema"]))
    for part in ("schedules", "tables", "aggregates", "settings"):
        whole = tomlkit.table(is_super_table=True)
        for name, entry in document[part].items():
            whole.add(name, _section(entry))
        text.add(part, whole)
    return tomlkit.dumps(text)


def _section(entry: Mapping[str, Any]) -> Item:
    section = tomlkit.table()
    for key, value in entry.items():
        if key == "body":
            section.add(key, tomlkit.string(f"{value}\n", literal="'''" not in value, multiline=True))
        elif isinstance(value, Mapping):
            inline = tomlkit.inline_table()
            inline.update(value)
            section.add(key, inline)
        else:
            section.add(key, tomlkit.item(value))
    section.add(tomlkit.nl())
    return section
