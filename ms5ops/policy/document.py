"""The policy set: what a Phase 4 database shall look like, read from ``default.toml`` or a file of that form.

Everything is refused that would generate SQL nobody meant: unknown keys, tables and columns (with the nearest match),
intervals without a fixed length, names that need quotes, missing bodies, aggregates that read each other in a circle.
Whether what is well-formed is also wise is ``ms5ops.policy.lint``'s to say.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from ms5ops import paths, strict
from ms5ops.errors import ConfigError
from ms5ops.policy.entries import (
    AggregatePolicy,
    Autovacuum,
    DatabaseSettings,
    ExpectedVolume,
    IndexPolicy,
    JobSchedule,
    Schedules,
    ServerSettings,
    Settings,
    Strict,
    TablePolicy,
    UserJobPolicy,
    ViewPolicy,
)
from ms5ops.policy.ms5_schema import COLUMNS, INDEXES, OTHER_RELATIONS
from ms5ops.policy.names import Name, check_columns, check_predicate, plain_name
from ms5ops.strict import nearest

__all__ = [
    "AggregatePolicy",
    "Autovacuum",
    "DatabaseSettings",
    "ExpectedVolume",
    "IndexPolicy",
    "JobSchedule",
    "PolicySet",
    "Schedules",
    "ServerSettings",
    "Settings",
    "TablePolicy",
    "UserJobPolicy",
    "ViewPolicy",
    "load_policy",
    "policy_hash",
]

DEFAULT_FILE = Path(__file__).with_name("default.toml")
MOST_BYTES = 1024 * 1024
"""Own choice: the default has some 15 kB, so what is larger is not a policy."""


class PolicySet(Strict):
    """The whole document. Mappings are by name, in the order of the file.

    What is worked out of it is worked out at each call: kept, it would go along with ``model_copy(update=...)``, which
    copies all that an instance holds, and speak of the original.
    """

    schema_name: Name = Field(alias="schema")
    sql_folder: str | None = None
    schedules: Schedules
    tables: Mapping[str, TablePolicy]
    aggregates: Mapping[str, AggregatePolicy] = Field(default_factory=dict)
    indexes: Mapping[str, IndexPolicy] = Field(default_factory=dict)
    views: Mapping[str, ViewPolicy] = Field(default_factory=dict)
    jobs: Mapping[str, UserJobPolicy] = Field(default_factory=dict)
    settings: Settings = Settings()
    expected: Mapping[str, ExpectedVolume] = Field(default_factory=dict)

    @field_validator("tables", "aggregates", "indexes", "views", "jobs", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """The key of each entry becomes its ``name``."""
        if not isinstance(value, Mapping):
            return value
        named = {}
        for name, entry in value.items():
            plain_name(str(name))
            if isinstance(entry, Mapping):
                if "name" in entry:
                    raise ValueError(f"unknown key {name}.name: the name stands in the heading already")
                entry = {"name": name, **entry}  # noqa: PLW2901
            named[name] = entry
        return named

    @field_validator("tables")
    @classmethod
    def _tables_known(cls, value: Mapping[str, TablePolicy]) -> Mapping[str, TablePolicy]:
        for name, table in value.items():
            if not table.columns:
                raise ValueError(
                    f"MS5.0 has no table {name}{nearest(name, COLUMNS)}: a table of your own needs its columns, "
                    'as in columns = { time = "timestamptz", device_id = "integer" }'
                )
        return value

    @model_validator(mode="after")
    def _references_exist(self) -> "PolicySet":
        for check in (_taken_twice, _wrong_references, _wrong_bodies, _circles):
            problems = list(check(self))
            if problems:
                raise ValueError("; ".join(problems[:3]))
        return self

    @property
    def is_phase4(self) -> bool:
        """Whether it is about MS5.0's tables, for which Phase 4 says how many of everything there shall be."""
        return any(name in COLUMNS for name in self.tables)

    @property
    def active_tables(self) -> tuple[TablePolicy, ...]:
        """The enabled tables."""
        return tuple(table for table in self.tables.values() if table.enabled)

    @property
    def active_aggregates(self) -> tuple[AggregatePolicy, ...]:
        """Aggregates over enabled tables, each after what it reads: the order in which they are made and filled."""
        placed: dict[str, AggregatePolicy] = {}

        def place(name: str) -> None:
            if name in self.aggregates and name not in placed:
                place(self.aggregates[name].source)
                placed[name] = self.aggregates[name]

        for name in self.aggregates:
            place(name)
        return tuple(entry for entry in placed.values() if self.tables[self.root(entry.name)].enabled)

    @property
    def active_indexes(self) -> tuple[IndexPolicy, ...]:
        """Indexes of enabled tables."""
        return tuple(index for index in self.indexes.values() if self.tables[index.table].enabled)

    @property
    def active_jobs(self) -> tuple[UserJobPolicy, ...]:
        """User jobs, without those that only trim indexes of tables that are not enabled."""
        idle = {index.trim_job for index in self.indexes.values()} - {index.trim_job for index in self.active_indexes}
        return tuple(job for job in self.jobs.values() if job.name not in idle)

    def level(self, name: str) -> int:
        """0 for a table, 1 for an aggregate over a table, and so on."""
        return 0 if name not in self.aggregates else 1 + self.level(self.aggregates[name].source)

    def root(self, name: str) -> str:
        """The table at the bottom of an aggregate (a table is its own)."""
        return self.root(self.aggregates[name].source) if name in self.aggregates else name

    def drop_after(self, name: str) -> timedelta | None:
        """How long a table or aggregate keeps its rows, None: for ever."""
        return self.aggregates[name].drop_after if name in self.aggregates else self.tables[name].drop_after

    def compress_after(self, name: str) -> timedelta | None:
        """When a table or aggregate compresses its chunks, None: never."""
        return self.aggregates[name].compress_after if name in self.aggregates else self.tables[name].compress_after

    def retention_schedule(self, table: TablePolicy) -> JobSchedule:
        """The retention schedule of one table, with its own start where it has one."""
        common = self.schedules.retention
        if table.retention_start is None:
            return common
        return common.model_copy(update={"initial_start": table.retention_start})

    def qualified(self, name: str) -> str:
        """``schema.name``; neither needs quotes."""
        return f"{self.schema_name}.{name}"


def load_policy(file: Path | None = None) -> PolicySet:
    """Read a policy file (None: the default); ConfigError names file, key and what is wrong.

    ``sql_folder`` in the file, relative to it, is where its bodies are; left out, it is the project's sql/.
    """
    file = DEFAULT_FILE if file is None else file
    document = strict.parse_toml(_read_text(file), file)
    folder = document.get("sql_folder")
    if folder is not None and not isinstance(folder, str):
        raise ConfigError(f"{file}: sql_folder is not the name of a folder.", "Correct it and start again.")
    sql_folder = paths.SQL if folder is None else (file.parent / folder)
    if not sql_folder.is_dir():
        raise ConfigError(f"{file}: sql_folder: there is no folder {sql_folder}.", "Correct it and start again.")
    return strict.validated(PolicySet, document, file, {"sql_folder": sql_folder})


@cache
def default_policy() -> PolicySet:
    """The set that comes with ms5ops, read once."""
    return load_policy()


def policy_hash(policy: PolicySet) -> str:
    """SHA-256 (64 hex digits) of what the policy asks of a database, the same in every process.

    The order of entries, comments, file names, columns and expected volumes do not count, nor the purpose of an index
    and the about line of a body: none of them reaches the database.
    """
    prose: Any = {"body": {"file", "about"}, "purpose": True}
    document = policy.model_dump(
        mode="json",
        by_alias=True,
        exclude={
            "sql_folder": True,
            "expected": True,
            "tables": {"__all__": {"columns"}},
            "aggregates": {"__all__": prose},
            "views": {"__all__": prose},
            "jobs": {"__all__": prose},
            "indexes": {"__all__": {"purpose"}},
        },
    )
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _read_text(file: Path) -> str:
    try:
        if file.exists() and not file.is_file():
            raise ConfigError(f"{file} is not a file.", "Give the file of a policy.")
        size = file.stat().st_size
        if size > MOST_BYTES:
            raise ConfigError(f"{file} has {size:,} bytes, far more than a policy.", "Give the file of a policy.")
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(f"There is no policy file {file}.", "Check the path.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not text in UTF-8.", "Save it as UTF-8.") from error
    except OSError as error:
        raise ConfigError(f"{file} cannot be read ({error.strerror}).", "Check its permissions.") from error
    if text.lstrip().startswith("<"):
        raise ConfigError(f"{file} is a web page (HTML) or XML, not a policy.", "Save the raw TOML file instead.")
    return text


def _taken_twice(policy: PolicySet) -> Iterator[str]:
    """Tables, aggregates, indexes and views share one space of names in a schema."""
    taken = {name: f"tables.{name}" for name in policy.tables}
    if policy.is_phase4:
        taken.update(dict.fromkeys((*COLUMNS, *OTHER_RELATIONS), "a table of MS5.0"))
        taken.update({name: "an index of MS5.0" for indexes in INDEXES.values() for name in indexes})
    kinds = {"aggregates": policy.aggregates, "indexes": policy.indexes, "views": policy.views}
    for kind, entries in kinds.items():
        for name in entries:
            if name in taken:
                yield f"{kind}.{name}: the name is taken by {taken[name]}"
            taken[name] = f"{kind}.{name}"


def _wrong_references(policy: PolicySet) -> Iterator[str]:
    readable = (*policy.tables, *policy.aggregates)
    for name, aggregate in policy.aggregates.items():
        if aggregate.source not in readable:
            yield (
                f"aggregates.{name}.source: there is no table or aggregate {aggregate.source}"
                f"{nearest(aggregate.source, readable)}"
            )
    for name, index in policy.indexes.items():
        if index.table not in policy.tables:
            yield f"indexes.{name}.table: there is no table {index.table}{nearest(index.table, policy.tables)}"
            continue
        columns = policy.tables[index.table].columns
        try:
            check_columns([*(item.column for item in index.columns), *index.include], columns, index.table)
        except ValueError as error:
            yield f"indexes.{name}: {error}"
        try:
            if index.where is not None:
                check_predicate(index.where, columns, index.table)
        except ValueError as error:
            yield f"indexes.{name}.where: {error}"
        if index.trim_job is not None and index.trim_job not in policy.jobs:
            yield f"indexes.{name}.trim_job: there is no job {index.trim_job}{nearest(index.trim_job, policy.jobs)}"
    for name in policy.expected:
        if name not in policy.tables:
            yield f"expected.{name}: there is no table {name}{nearest(name, policy.tables)}"


def _wrong_bodies(policy: PolicySet) -> Iterator[str]:
    """Bodies are written for one schema and one source."""
    for name, aggregate in policy.aggregates.items():
        wanted = policy.qualified(aggregate.source)
        if aggregate.body.source != aggregate.source:
            said = f"{aggregate.body.file} says source: {aggregate.body.source}"
            yield f"aggregates.{name}.source: it is {aggregate.source}, but {said}"
        elif aggregate.body.reads != (wanted,):
            found = ", ".join(aggregate.body.reads) or "nothing"
            yield f"aggregates.{name}.body: {aggregate.body.file} reads {found}, not {wanted} alone"
    for name, job in policy.jobs.items():
        if job.body.creates != policy.qualified(name):
            yield f"jobs.{name}.body: {job.body.file} creates {job.body.creates}, not {policy.qualified(name)}"


def _circles(policy: PolicySet) -> Iterator[str]:
    sources = {name: [entry.source] for name, entry in policy.aggregates.items()}
    try:
        TopologicalSorter(sources).prepare()
    except CycleError as error:
        # graphlib lists what is read before what reads it.
        yield f"aggregates: they read each other in a circle ({' <- '.join(error.args[1])})"
