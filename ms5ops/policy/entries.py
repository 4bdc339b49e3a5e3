"""The entries of a policy set: one frozen model per kind, each refusing what it can judge by itself.

What needs the other entries (unknown sources, names taken twice, circles) is ``ms5ops.policy.document``'s to refuse.
"""

import re
from collections.abc import Mapping
from datetime import time, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ms5ops.policy.bodies import ProcedureBody, SelectBody
from ms5ops.policy.intervals import Interval, IntervalOrNever, IntervalOrUnbounded, IntervalOrZero, interval_sql
from ms5ops.policy.ms5_schema import COLUMNS
from ms5ops.policy.names import Name, Ordered, OrderedColumn, check_columns


def _time_of_day(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"\d\d:\d\d", value):
        value = time.fromisoformat(value)
    if not isinstance(value, time) or value.tzinfo is not None or value.second or value.microsecond:
        raise ValueError(f"{str(value)[:40]!r} is not a time of day in UTC, to the minute (an example is 02:10:00)")
    return value


TimeOfDay = Annotated[
    time, BeforeValidator(_time_of_day), PlainSerializer(lambda value: f"{value:%H:%M}", return_type=str)
]
"""UTC, to the minute."""


COLUMN_TYPE = r"[a-z][a-z0-9_ ,()\[\].\"]{0,99}"
ColumnType = Annotated[str, Field(pattern=f"^{COLUMN_TYPE}$")]
"""A type as PostgreSQL writes it: ``timestamptz``, ``double precision``, ``numeric(10,2)``."""


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)


class JobSchedule(Strict):
    """When a policy's job runs. Zero ``max_runtime``: no limit; ``max_retries`` -1: without end.

    ``initial_start`` is a time of day in UTC, to which the schedule is fixed: the first run is at midnight (UTC) of
    the day of the apply, and ``first_run_after_days``, and ``initial_start``. None: the job starts so many days after
    it is made (0: at once), and each run is counted from the end of the one before.
    """

    every: Interval
    max_runtime: IntervalOrZero = timedelta()
    retry_period: Interval
    max_retries: Annotated[int, Field(ge=-1, le=1000)] = -1
    initial_start: TimeOfDay | None = None
    first_run_after_days: Annotated[int, Field(ge=0, le=365)] = 0


class Schedules(Strict):
    """Schedules by kind of policy. Refreshes have theirs with each aggregate."""

    compression: JobSchedule
    retention: JobSchedule


class Autovacuum(Strict):
    """Shares of a table's rows that may change before autovacuum cleans it, or analyses it."""

    vacuum_scale_factor: Annotated[float, Field(gt=0, le=1)]
    analyze_scale_factor: Annotated[float, Field(gt=0, le=1)]


class TablePolicy(Strict):
    """One hypertable. ``enabled = false`` leaves it, its indexes and the aggregates above it as they are found.

    ``compress_after`` and ``drop_after`` None ("never"): no such policy. ``retention_start`` overrides the retention
    schedule's ``initial_start``, so that the drops of several tables do not fall together. ``columns``: column -> type
    as the table has them, against which the names in the set are checked; left out for MS5.0's tables, which are known.
    """

    name: Name
    enabled: bool = True
    columns: Mapping[Name, ColumnType] = Field(default_factory=dict, validate_default=True)
    time_column: Name
    chunk_interval: Interval
    segment_by: tuple[Name, ...]
    order_by: Annotated[tuple[OrderedColumn, ...], Field(min_length=1)]
    compress_after: IntervalOrNever
    drop_after: IntervalOrNever
    retention_start: TimeOfDay | None = None
    autovacuum: Autovacuum | None = None

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, value: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
        return value or COLUMNS.get(info.data.get("name", ""), {})

    @field_validator("time_column")
    @classmethod
    def _time_column_exists(cls, value: str, info: ValidationInfo) -> str:
        columns = _columns(info)
        if columns is not None:
            check_columns([value], columns, info.data["name"])
            if columns[value] != "timestamptz":
                raise ValueError(f"{value} is {columns[value]}, and a hypertable needs a timestamptz")
        return value

    @field_validator("segment_by")
    @classmethod
    def _segments_exist(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        columns = _columns(info)
        if columns is not None:
            check_columns(value, columns, info.data["name"])
        if info.data.get("time_column") in value:
            raise ValueError("the time column cannot segment: every row would be a segment of its own")
        return _once(value)

    @field_validator("order_by")
    @classmethod
    def _order_exists(cls, value: tuple[Ordered, ...], info: ValidationInfo) -> tuple[Ordered, ...]:
        names = _once(tuple(item.column for item in value))
        columns = _columns(info)
        if columns is not None:
            check_columns(names, columns, info.data["name"])
        both = [name for name in names if name in info.data.get("segment_by", ())]
        if both:
            raise ValueError(f"{both[0]} is in segment_by already; a column can do one of the two")
        return value


class AggregatePolicy(Strict):
    """One continuous aggregate; ``source`` is a table or another aggregate of the policy.

    ``start_offset`` None ("unbounded"): NULL, refreshed from the beginning. ``compress_after`` and ``drop_after`` are
    the aggregate's own.
    """

    name: Name
    source: Name
    bucket: Interval
    body: SelectBody
    start_offset: IntervalOrUnbounded
    end_offset: IntervalOrZero
    schedule_interval: Interval
    materialized_only: bool = False
    chunk_interval: Interval
    compress_after: IntervalOrNever = None
    drop_after: IntervalOrNever = None

    @model_validator(mode="after")
    def _body_agrees(self) -> "AggregatePolicy":
        if self.body.buckets != {self.bucket}:
            found = ", ".join(interval_sql(width) for width in sorted(self.body.buckets)) or "nothing"
            raise ValueError(f"its bucket is {interval_sql(self.bucket)}, but {self.body.file} groups by {found}")
        return self


class IndexPolicy(Strict):
    """One index of a table.

    ``window``: only rows of that last span, with a literal cut-off on the table's time column that ``trim_job`` keeps
    moving (``now()`` cannot stand in an index predicate); exclusive with ``where``.
    """

    name: Name
    table: Name
    method: Literal["btree", "brin"] = "btree"
    columns: Annotated[tuple[OrderedColumn, ...], Field(min_length=1)]
    include: tuple[Name, ...] = ()
    where: str | None = None
    window: Interval | None = None
    trim_job: Name | None = None
    purpose: Annotated[str, Field(min_length=1)]
    comment: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "IndexPolicy":
        if self.where is not None and self.window is not None:
            raise ValueError("give where or window, not both")
        if (self.window is None) is not (self.trim_job is None):
            raise ValueError("window and trim_job belong together: without the job the cut-off stands still")
        if self.method == "brin" and (self.include or any(item.descending or item.nulls for item in self.columns)):
            raise ValueError("a brin index has neither include nor an order of its columns")
        _once((*(item.column for item in self.columns), *self.include))
        return self


class ViewPolicy(Strict):
    """One monitoring view."""

    name: Name
    body: SelectBody
    comment: str | None = None


class UserJobPolicy(Strict):
    """One user job: its procedure has its name; ``config`` is handed to it as jsonb."""

    name: Name
    body: ProcedureBody
    every: Interval
    config: Mapping[str, str | int | float | bool] = Field(default_factory=dict)


class DatabaseSettings(Strict):
    """Set by ALTER DATABASE. ``effective_cache_size_share`` is of the machine's memory (0.75: three quarters)."""

    random_page_cost: Annotated[float, Field(ge=0.1, le=100)] | None = None
    effective_cache_size_share: Annotated[float, Field(gt=0, le=1)] | None = None
    max_parallel_workers_per_gather: Annotated[int, Field(ge=0, le=1024)] | None = None
    jit: bool | None = None


class ServerSettings(Strict):
    """Advice to the administrator: none of these can be set per database. Numbers are the least that is enough."""

    max_background_workers: Annotated[int, Field(ge=1, le=1000)] | None = None
    max_worker_processes: Annotated[int, Field(ge=1, le=262143)] | None = None
    max_locks_per_transaction: Annotated[int, Field(ge=10)] | None = None
    enable_job_execution_logging: bool | None = None


class Settings(Strict):
    """Settings by who may change them."""

    database: DatabaseSettings = DatabaseSettings()
    server: ServerSettings = ServerSettings()


class ExpectedVolume(Strict):
    """What a table is expected to take in, for lint where nothing has been measured.

    ``segments``: distinct values (or combinations) of segment_by in a chunk. ``bytes_per_row``: heap, uncompressed,
    without indexes.
    """

    rows_per_day: Annotated[float, Field(gt=0)]
    segments: Annotated[int, Field(ge=1)] | None = None
    bytes_per_row: Annotated[float, Field(gt=0)] | None = None


def _columns(info: ValidationInfo) -> Mapping[str, str] | None:
    """Columns of the table that is being read; None where they are not known, which the set tells of."""
    return info.data.get("columns") or None


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    twice = [name for place, name in enumerate(names) if name in names[:place]]
    if twice:
        raise ValueError(f"{twice[0]} stands there twice")
    return names
