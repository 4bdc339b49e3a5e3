"""What a database looks like, as far as a plan depends on it: frozen records that become JSON and back.

Fields marked ``_passing`` change by themselves (sizes, counts, next runs) or name things that a re-creation changes
(ids): they inform, and are left out of the state's hash. Relations are ``schema.name``, intervals PostgreSQL text,
instants ISO 8601 in UTC, sizes bytes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime, timedelta
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_PASSING = "passing"


def _passing(default: Any = None) -> Any:
    return field(default=default, metadata={_PASSING: True})


@dataclass(frozen=True)
class Grant:
    """One privilege of one role other than the owner; ``column`` where it is for that column only."""

    grantee: str
    privilege: str
    grantable: bool = False
    column: str | None = None


@dataclass(frozen=True)
class Column:
    """A column; ``default`` is an expression, ``identity`` PostgreSQL's letter or empty."""

    name: str
    type: str
    not_null: bool = False
    default: str | None = None
    generated: bool = False
    identity: str = ""


@dataclass(frozen=True)
class Constraint:
    """``kind`` is PostgreSQL's letter: p(rimary), u(nique), f(oreign), c(heck), x (exclusion)."""

    name: str
    kind: str
    definition: str
    columns: tuple[str, ...] = ()
    comment: str | None = None


@dataclass(frozen=True)
class Reference:
    """A foreign key of another table to this one."""

    table: str
    name: str
    definition: str


@dataclass(frozen=True)
class Trigger:
    """A trigger that is not the server's own."""

    name: str
    definition: str
    enabled: bool = True
    uses_transition_tables: bool = False


@dataclass(frozen=True)
class Sequence:
    """A sequence that goes with a column."""

    name: str
    column: str


@dataclass(frozen=True)
class View:
    """A view. ``used_by`` names the views upon it (of the policy's views and aggregates only)."""

    name: str
    definition: str
    owner: str
    comment: str | None = None
    is_materialized: bool = False
    options: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()
    used_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chunks:
    """Chunks of a hypertable or aggregate: how many, and from where to where.

    ``oldest`` to ``oldest_until`` is the first of them. ``to_compress`` and ``to_drop``: what the policy would take.
    """

    total: int = 0
    compressed: int = 0
    oldest: str | None = None
    oldest_until: str | None = None
    newest: str | None = None
    to_compress: tuple[str, ...] = ()
    to_drop: int = 0


@dataclass(frozen=True)
class TableState:
    """One table of the policy. ``chunk_interval`` ... ``order_by`` are a hypertable's.

    ``has_row_security``: row security or a publication, which a conversion back does not restore. ``extras``: what
    else hangs on it that a copy under one lock would not have (statistics objects, identity columns, rules, ...), each
    as a text that is equal where the thing is.
    ``rows_without_time`` is counted for plain tables with a nullable time column only.
    """

    name: str
    kind: Literal["missing", "plain", "hypertable"]
    owner: str = ""
    comment: str | None = None
    options: tuple[str, ...] = ()
    is_partitioned: bool = False
    has_row_security: bool = False
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    referenced_by: tuple[Reference, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    grants: tuple[Grant, ...] = ()
    views: tuple[View, ...] = ()
    extras: tuple[str, ...] = ()
    time_column: str | None = None
    dimensions: int = 0
    chunk_interval: str | None = None
    compression_enabled: bool = False
    segment_by: tuple[str, ...] = ()
    order_by: tuple[str, ...] = ()
    rows_without_time: int | None = _passing()
    rows: int | None = _passing()
    size_bytes: int | None = _passing()
    index_bytes: int | None = _passing()
    chunks: Chunks = field(default_factory=Chunks, metadata={_PASSING: True})

    @property
    def primary_key(self) -> Constraint | None:
        """The primary key, None where there is none."""
        return next((one for one in self.constraints if one.kind == "p"), None)

    def column(self, name: str) -> Column | None:
        """The column of that name."""
        return next((one for one in self.columns if one.name == name), None)


@dataclass(frozen=True)
class JobState:
    """A policy's or a user's job. ``config`` is without the ids of hypertables, which ``hypertable_ids`` holds."""

    kind: Literal["compression", "retention", "refresh", "reorder", "user", "other"]
    procedure: str
    target: str | None
    schedule_interval: str
    max_runtime: str
    max_retries: int
    retry_period: str
    scheduled: bool
    fixed_schedule: bool
    initial_start: str | None
    timezone: str | None
    config: Mapping[str, Any]
    owner: str = _passing("")
    job_id: int = _passing(0)
    next_start: str | None = _passing()


@dataclass(frozen=True)
class IndexState:
    """An index of a table or aggregate, in all chunks; ``definition`` is the server's text."""

    name: str
    table: str
    definition: str
    is_unique: bool = False
    is_constraint: bool = False
    is_broken: bool = False
    comment: str | None = None
    chunks: int = _passing(0)
    missing_chunks: int = _passing(0)
    invalid_chunks: int = _passing(0)
    is_valid: bool = _passing(True)
    size_bytes: int = _passing(0)

    @property
    def shape(self) -> str:
        """The definition from the access method on: without the names of the index and its table."""
        return shape(self.definition)


@dataclass(frozen=True)
class AggregateState:
    """A continuous aggregate. ``definition`` is the server's text of what it was made from.

    ``unfilled_from``: the oldest row of its source that it lacks outside its policy's reach; ``source_oldest``: the
    oldest row of its source (both read only where something is unfilled).
    """

    name: str
    source: str
    definition: str
    owner: str
    materialized_only: bool
    chunk_interval: str | None
    compression_enabled: bool = False
    segment_by: tuple[str, ...] = ()
    order_by: tuple[str, ...] = ()
    comment: str | None = None
    grants: tuple[Grant, ...] = ()
    used_by: tuple[str, ...] = ()
    storage: str = _passing("")
    unfilled_from: str | None = _passing()
    source_oldest: str | None = _passing()
    size_bytes: int | None = _passing()
    chunks: Chunks = field(default_factory=Chunks, metadata={_PASSING: True})


@dataclass(frozen=True)
class ProcedureState:
    """A procedure that a user job runs."""

    name: str
    owner: str
    language: str
    source: str
    definition: str


@dataclass(frozen=True)
class SettingState:
    """The value in force (as text and as a number in bytes, seconds or as it is) and where it comes from."""

    name: str
    value: str | None
    number: float | None
    source: str | None
    boot_value: str | None = None


@dataclass(frozen=True)
class Twins:
    """The policy's bodies and indexes as this server writes them, by name: what definitions are compared with.

    ``indexes`` are shapes (``shape``). What could not be made here (its source is not there) is missing, and
    ``problems`` says why.
    """

    views: Mapping[str, str] = field(default_factory=dict)
    aggregates: Mapping[str, str] = field(default_factory=dict)
    indexes: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """A database, as far as a plan depends on it. ``read_at`` is the server's clock.

    ``version`` is TimescaleDB's; ``owns_database``: the deploying role may change the database's settings;
    ``reschedules``: alter_job takes fixed_schedule and initial_start.
    """

    schema: str
    version: tuple[int, int, int]
    postgres_version: tuple[int, int]
    edition: Literal["community", "apache"]
    reschedules: bool
    tables: tuple[TableState, ...]
    aggregates: tuple[AggregateState, ...]
    indexes: tuple[IndexState, ...]
    jobs: tuple[JobState, ...]
    views: tuple[View, ...]
    procedures: tuple[ProcedureState, ...]
    database_settings: Mapping[str, str]
    server_settings: tuple[SettingState, ...]
    settings: tuple[SettingState, ...] = _passing(())
    twins: Twins = field(default_factory=Twins, metadata={_PASSING: True})
    database_name: str = _passing("")
    role: str = _passing("")
    is_superuser: bool = _passing(False)
    owns_database: bool = _passing(False)
    may_create: bool = _passing(False)
    read_at: str = _passing("")

    @property
    def now(self) -> datetime:
        """The server's clock when it was read."""
        return datetime.fromisoformat(self.read_at)

    def table(self, name: str) -> TableState:
        """A table of the policy by its bare name; a missing one where the database has none."""
        found = (one for one in self.tables if one.name == f"{self.schema}.{name}")
        return next(found, TableState(f"{self.schema}.{name}", "missing"))

    def aggregate(self, name: str) -> AggregateState | None:
        """An aggregate by its bare name."""
        return next((one for one in self.aggregates if one.name == f"{self.schema}.{name}"), None)

    def index(self, name: str) -> IndexState | None:
        """An index of the schema's tables by its name."""
        return next((one for one in self.indexes if one.name == name), None)

    def view(self, name: str) -> View | None:
        """A view by its bare name."""
        return next((one for one in self.views if one.name == f"{self.schema}.{name}"), None)

    def jobs_of(self, target: str, kind: str) -> tuple[JobState, ...]:
        """Jobs of that kind on a relation (``schema.name``), oldest first."""
        return tuple(job for job in self.jobs if job.target == target and job.kind == kind)


def shape(definition: str) -> str:
    """An index definition without its names: from ``USING`` on."""
    return definition[definition.index(" USING ") + 1 :] if " USING " in definition else definition


_INTERVAL = re.compile(
    r"(?:(?P<years>-?\d+) years? ?)?(?:(?P<months>-?\d+) mons? ?)?(?:(?P<days>-?\d+) days? ?)?"
    r"(?:(?P<sign>-)?(?P<hours>\d+):(?P<minutes>\d+):(?P<seconds>\d+(?:\.\d+)?))?"
)
_WORDS = re.compile(r"(\d+(?:\.\d+)?) *(day|hour|minute|second|min|sec|week)s?\b")


def span(text: str | None) -> timedelta | None:
    """PostgreSQL's text of an interval (``7 days``, ``1 day 02:00:00``); None where it has no fixed length."""
    if not text:
        return None
    match = _INTERVAL.fullmatch(text.strip())
    if match:
        if match["years"] or match["months"]:
            return None
        clock = timedelta(
            hours=int(match["hours"] or 0), minutes=int(match["minutes"] or 0), seconds=float(match["seconds"] or 0)
        )
        return timedelta(days=int(match["days"] or 0)) + (-clock if match["sign"] else clock)
    if _WORDS.sub("", text).strip():
        return None
    units = {"min": "minutes", "sec": "seconds"}
    parts = (timedelta(**{units.get(unit, f"{unit}s"): float(number)}) for number, unit in _WORDS.findall(text))
    return sum(parts, timedelta())


def plain(value: Any, *, lasting: bool = False) -> Any:
    """Records as JSON values; ``lasting`` leaves out what changes by itself."""
    if is_dataclass(value) and not isinstance(value, type):
        kept = (one for one in fields(value) if not (lasting and one.metadata.get(_PASSING)))
        return {one.name: plain(getattr(value, one.name), lasting=lasting) for one in kept}
    if isinstance(value, Mapping):
        return {str(key): plain(inner, lasting=lasting) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner, lasting=lasting) for inner in value]
    return value


def revive(kind: Any, value: Any) -> Any:
    """JSON values as the record type ``kind``; KeyError, TypeError or ValueError where they are not one."""
    if get_origin(kind) in (Union, UnionType):
        if value is None:
            return None
        kind = next(inner for inner in get_args(kind) if inner is not type(None))
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{name: revive(hints[name], inner) for name, inner in dict(value).items()})  # type: ignore[operator]
    if get_origin(kind) is tuple:
        inner = get_args(kind)
        return tuple(revive(inner[0], one) for one in value)
    if get_origin(kind) is Mapping or get_origin(kind) is dict:
        return dict(value)
    return value
