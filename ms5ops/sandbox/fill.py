"""Fill the embedded TimescaleDB with MS5.0's tables and telemetry, in one of the states installations are in.

``legacy``: plain tables. ``hypertables``: hypertables of 7-day chunks. ``optimised``: the scripts of
sql/phase4 have run, so that the aggregates are filled and what is old enough is compressed.

A fill can be interrupted at any moment: the comment of the schema says that a fill is under way from the
statement that creates the schema on, and what was filled only at the end.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from ms5ops import paths
from ms5ops.database import Database
from ms5ops.errors import SandboxError
from ms5ops.sandbox import plant, telemetry
from ms5ops.sandbox.scripts import GEXEC, Part, parts
from ms5ops.sandbox.telemetry import Volume

State = Literal["legacy", "hypertables", "optimised"]
STATES: tuple[State, ...] = get_args(State)
Replay = Literal["under way", "done"]
SCHEMA = "factory_telemetry"

__all__ = [
    "SCHEMA", "STATES", "Filled", "Progress", "State", "Volume", "analyze", "extend", "fill", "filled", "replayed",
]  # fmt: skip


@dataclass(frozen=True)
class Progress:
    """How far a fill is: ``done`` of ``total`` units of about equal duration, and what it is at now."""

    label: str
    done: float
    total: float
    elapsed_seconds: float

    @property
    def fraction(self) -> float:
        """0 to 1."""
        return min(self.done / self.total, 1.0) if self.total else 1.0

    @property
    def remaining_seconds(self) -> float | None:
        """An estimate, as soon as a twentieth is done."""
        if self.fraction < 0.05:
            return None
        return self.elapsed_seconds * (1 - self.fraction) / self.fraction


@dataclass(frozen=True)
class Filled:
    """What the sandbox was filled with: rows over the five telemetry tables with start <= time < end.

    ``replay``: whether months of factory life are (or, where nobody is at it, were) being replayed on top of it
    (``ms5ops.replay``), or have been; None where that was not asked for.
    """

    state: State
    rows: int
    start: datetime
    end: datetime
    seed: int
    requested_rows: int
    filled_at: datetime
    replay: Replay | None = None

    @property
    def volume(self) -> Volume:
        """The density and seed it was made with, so that ``telemetry.rows`` continues it."""
        return Volume(rows=self.requested_rows, days=(self.end - self.start).days, end=self.end, seed=self.seed)


Report = Callable[[Progress], None]


def filled(database: Database) -> Filled | None:
    """What a completed fill left in this database; None if there was none, or it did not finish."""
    found = _marker(database)
    if found is None or not found.get("sandbox") or "filled_at" not in found:
        return None
    return Filled(
        state=found["state"],
        rows=found["rows"],
        start=datetime.fromisoformat(found["from"]),
        end=datetime.fromisoformat(found["to"]),
        seed=found["seed"],
        requested_rows=found["requested_rows"],
        filled_at=datetime.fromisoformat(found["filled_at"]),
        replay=found.get("replay"),
    )


def extend(database: Database, volume: Volume, start: datetime, end: datetime) -> int:
    """Load the telemetry of a span on top of a fill, at the density and with the seed of ``volume``; how many rows."""
    loaded = 0
    for table in telemetry.TABLES:
        frame = telemetry.rows(table, start, end, volume)
        _insert(database, table, frame)
        loaded += len(frame)
    return loaded


def replayed(database: Database, *, rows: int, start: datetime, end: datetime, state: State) -> None:
    """Note that the replay on top of a fill is done, and what the sandbox holds since."""
    found = _marker(database) or {}
    _mark(
        database,
        **{**found, "rows": rows, "from": start.isoformat(), "to": end.isoformat(), "state": state, "replay": "done"},
    )


def fill(database: Database, state: State, volume: Volume, progress: Report, *, replay: Replay | None = None) -> Filled:
    """Make the schema afresh and fill it; what an earlier fill left, finished or not, is dropped.

    ``database`` must be of access "write". SandboxError if its schema factory_telemetry was not made by a
    fill: that is someone's data.
    """
    if state not in STATES:
        raise SandboxError(f"There is no state {state!r} of the sandbox.", f"Choose one of: {', '.join(STATES)}.")
    return _Fill(database, state, volume, replay).run(progress)


def analyze(database: Database) -> None:
    """Row counts of tables and aggregates on the pages come from these; the engine has no autovacuum."""
    tables = [f"{SCHEMA}.{table}" for table in (*plant.master_data(), *telemetry.TABLES)]
    aggregates = database.rows(
        "SELECT format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name) AS name"
        " FROM timescaledb_information.continuous_aggregates"
    )
    database.execute([f"ANALYZE {name}" for name in (*tables, *(row["name"] for row in aggregates))])


@dataclass(frozen=True)
class _Step:
    """A piece of a fill: what it is called on screen, about how long it takes, and what it does."""

    label: str
    seconds: float
    run: Callable[[], None]


# Only the proportions matter: measured with half a million rows in 28 days on two cores.
_SECONDS_A_ROW: dict[State, float] = {"legacy": 9e-6, "hypertables": 12e-6, "optimised": 29e-6}


class _Fill:
    """One run of ``fill``: its steps in order.

    legacy and hypertables load first and add foreign keys after, so that these are checked in one pass.
    optimised runs the first script of Phase 4 on the empty tables and loads straight into 1-hour chunks: that
    takes 11 s for half a million rows in 673 chunks, against 15 s for loading plain tables and converting
    them with migrate_data (in one transaction, which takes more memory too). The second script compresses what is
    old enough, so that indexes are built on few uncompressed chunks.
    """

    def __init__(self, database: Database, state: State, volume: Volume, replay: Replay | None) -> None:
        self._database = database
        self._replay = replay
        self._state = state
        self._volume = volume
        self._loaded = 0

    def run(self, report: Report) -> Filled:
        if _schema_exists(self._database) and not (_marker(self._database) or {}).get("sandbox"):
            raise SandboxError(
                f"The schema {SCHEMA} in {self._database.target.address} was not made by the sandbox.",
                "Nothing was changed. Fill a sandbox, or drop that schema yourself if it is not needed.",
            )
        steps = list(self._steps())
        total, done, began = sum(step.seconds for step in steps), 0.0, time.monotonic()
        for step in steps:
            report(Progress(step.label, done, total, time.monotonic() - began))
            step.run()
            done += step.seconds
        filled_at = datetime.now(UTC)
        _mark(
            self._database,
            state=self._state,
            rows=self._loaded,
            requested_rows=self._volume.rows,
            seed=self._volume.seed,
            filled_at=filled_at.isoformat(),
            replay=self._replay,
            **{"from": self._volume.start.isoformat(), "to": self._volume.end.isoformat()},
        )
        report(Progress("Filled", total, total, time.monotonic() - began))
        return Filled(
            state=self._state,
            rows=self._loaded,
            start=self._volume.start,
            end=self._volume.end,
            seed=self._volume.seed,
            requested_rows=self._volume.rows,
            filled_at=filled_at,
            replay=self._replay,
        )

    def _steps(self) -> Iterator[_Step]:
        yield _Step("Dropping what was there", 0.5, partial(_drop, self._database))
        yield _Step("Creating the tables", 0.1, self._create)
        if self._state == "legacy":
            yield from self._loading()
            yield from self._script("schema/ms5_legacy.sql", "Adding keys")
            yield from self._script("schema/ms5_foreign_keys.sql", "Adding foreign keys")
        elif self._state == "hypertables":
            yield from self._script("schema/ms5_hypertables.sql", "Making hypertables")
            yield from self._loading()
            yield from self._script("schema/ms5_foreign_keys.sql", "Adding foreign keys")
        else:
            yield from self._script("schema/ms5_legacy.sql", "Adding keys")
            yield from self._script("schema/ms5_foreign_keys.sql", "Adding foreign keys")
            yield from self._script("phase4/phase4_01_hypertables.sql", "Phase 4, hypertables")
            yield from self._loading()
            yield from self._script("phase4/phase4_02_compression_policies.sql", "Phase 4, compression")
            yield from self._script("phase4/phase4_03_retention_policies.sql", "Phase 4, retention")
            yield from self._script("phase4/phase4_04_performance_indexes.sql", "Phase 4, indexes")
            yield from self._script("phase4/phase4_05_continuous_aggregates.sql", "Phase 4, aggregates")
        yield _Step("Gathering statistics", 0.8, partial(analyze, self._database))

    def _create(self) -> None:
        with self._database.transaction() as connection:  # with the mark: a schema without it is never dropped
            connection.exec_driver_sql((paths.SQL / "schema/ms5_tables.sql").read_text(encoding="utf-8"))
            connection.exec_driver_sql(_marking({"under_way": self._state}))
        for table, frame in plant.master_data().items():
            _insert(self._database, table, frame)

    def _loading(self) -> Iterator[_Step]:
        a_row = _SECONDS_A_ROW[self._state]
        for table in telemetry.TABLES:
            share = _SHARES.get(table, 0.02)
            spans = list(_spans(self._volume, _DAYS_A_BATCH[table]))
            for start, end in spans:
                yield _Step(
                    f"Loading {table}, {start:%-d %b}",
                    self._volume.rows * share * a_row / len(spans),
                    partial(self._load, table, start, end),
                )

    def _load(self, table: str, start: datetime, end: datetime) -> None:
        frame = telemetry.rows(table, start, end, self._volume)
        _insert(self._database, table, frame)
        self._loaded += len(frame)

    def _script(self, name: str, label: str) -> Iterator[_Step]:
        for part in parts(paths.SQL / name):
            yield _Step(f"{label}: {part.title}" if part.title else label, _seconds(part), partial(self._run, part))

    def _run(self, part: Part) -> None:
        for statement in part.statements:
            if statement.endswith(GEXEC):
                made = self._database.rows(statement.removesuffix(GEXEC))
                self._database.execute([_for_engine(str(value)) for row in made for value in row.values()])
            else:
                self._database.execute(_for_engine(statement))


_DAYS_A_BATCH = {
    "metric_hist": 1,
    "oee_calculations": 7,
    "energy_consumption": 28,
    "production_kpis": 28,
    "production_context_history": 28,
}
_SHARES = {"metric_hist": 0.84, "oee_calculations": 0.1}
_STATEMENT_SECONDS = (
    # What a statement says, and the seconds it takes; the first that fits.
    (r"CREATE INDEX .*\bON factory_telemetry\.metric_hist\b", 0.7),
    (r"'metric_hist'.*\bcompress_chunk\(", 9.0),
    (r"\bcompress_chunk\(", 0.2),
    (r"CALL refresh_continuous_aggregate\('factory_telemetry\.metric_hist_1min'", 6.5),
    (r"CALL refresh_continuous_aggregate\('factory_telemetry\.metric_hist_", 1.3),
    (r"CALL refresh_continuous_aggregate", 0.2),
    (r"", 0.02),
)


def _seconds(part: Part) -> float:
    """About how long a part of a script takes."""
    return sum(
        next(seconds for says, seconds in _STATEMENT_SECONDS if re.search(says, statement, re.DOTALL))
        for statement in part.statements
    )


def _for_engine(statement: str) -> str:
    """A statement as the embedded engine can run it: without ``WITH (timescaledb.transaction_per_chunk)``.

    It builds an index in one transaction per chunk, which fails there ("tuple concurrently updated", it has
    one backend) and would gain nothing, as no one writes at the same time.
    """
    return re.sub(r"\s+WITH \(timescaledb\.transaction_per_chunk\)", "", statement)


# Loading ----------------------------------------------------------------------------------------------------

_TYPES = {
    # How a column is sent: the element type of the array. Others are text, or follow from the frame's type.
    "id": "uuid",
    "metric_def_id": "uuid",
    "line_id": "uuid",
    "shift_id": "uuid",
    "changed_by": "uuid",
    "value_json": "jsonb",
    "context_data": "jsonb",
    "kpi_date": "date",
}


def _spans(volume: Volume, days: int) -> Iterator[tuple[datetime, datetime]]:
    start = volume.start
    while start < volume.end:
        end = (start + timedelta(days=days)).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        yield start, min(end, volume.end)
        start = end


def _insert(database: Database, table: str, frame: pd.DataFrame) -> None:
    """One committed INSERT ... SELECT FROM unnest(...): one array per column, some 200,000 rows/s."""
    if frame.empty:
        return
    arrays: dict[str, object] = {}
    values = []
    for name in map(str, frame.columns):
        kind, literal = _array(name, frame[name])
        arrays[name] = literal
        value = f"timestamptz 'epoch' + c.{name} * interval '1 microsecond'" if kind == "instant" else f"c.{name}"
        values.append((f":{name} ::{'bigint' if kind == 'instant' else kind}[]", value))
    names = ", ".join(map(str, frame.columns))
    selected = ", ".join(
        f"{value}::text[]" if name == "equipment_codes" else value
        for name, (_, value) in zip(frame.columns, values, strict=True)
    )
    sent = ", ".join(array for array, _ in values)
    database.execute(
        f"INSERT INTO {SCHEMA}.{table} ({names}) SELECT {selected} FROM unnest({sent}) AS c({names})",  # noqa: S608
        arrays,
    )


def _array(name: str, column: pd.Series) -> tuple[str, str]:
    """The element type and the array literal of a column; instants as microseconds since the epoch."""
    missing = column.isna().to_numpy()
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return "instant", _literal(column.astype("int64").astype(str).tolist(), missing)
    if pd.api.types.is_bool_dtype(column.dtype):
        return "boolean", _literal(column.astype(str).tolist(), missing)
    if pd.api.types.is_integer_dtype(column.dtype):
        return "bigint", _literal(column.astype(str).tolist(), missing)
    if pd.api.types.is_float_dtype(column.dtype):
        return "float8", _literal(list(map(repr, column.tolist())), missing)
    texts = [str(value).replace("\\", "\\\\").replace('"', '\\"') for value in column.tolist()]
    return _TYPES.get(name, "text"), _literal([f'"{value}"' for value in texts], missing)


def _literal(values: Sequence[str], missing: np.ndarray) -> str:
    return "{" + ",".join(np.where(missing, "NULL", np.array(values, dtype=object)).tolist()) + "}"


# The mark on the schema -------------------------------------------------------------------------------------


def _schema_exists(database: Database) -> bool:
    return bool(database.rows("SELECT 1 FROM pg_namespace WHERE nspname = :schema", {"schema": SCHEMA}))


def _marker(database: Database) -> dict[str, Any] | None:
    rows = database.rows(
        "SELECT obj_description(oid, 'pg_namespace') AS comment FROM pg_namespace WHERE nspname = :schema",
        {"schema": SCHEMA},
    )
    try:
        found = json.loads(rows[0]["comment"]) if rows and rows[0]["comment"] else None
    except json.JSONDecodeError:
        return None  # someone else's comment on someone else's schema
    return found if isinstance(found, dict) else None


def _marking(content: Mapping[str, object]) -> str:
    literal = json.dumps({"sandbox": True, **content}).replace("'", "''")
    return f"COMMENT ON SCHEMA {SCHEMA} IS '{literal}'"


def _mark(database: Database, **content: object) -> None:
    database.execute(_marking(content))


def _drop(database: Database) -> None:
    """Drop the schema with its jobs, and the database's settings that a fill or a plan has made.

    Policies go with their hypertables, but not jobs of our own procedures. Where there is no sandbox nothing is done.
    """
    if not _schema_exists(database):
        return
    database.execute("DO $block$ BEGIN EXECUTE format('ALTER DATABASE %I RESET ALL', current_database()); END $block$")
    database.rows(
        "SELECT delete_job(job_id) FROM timescaledb_information.jobs WHERE proc_schema = :schema", {"schema": SCHEMA}
    )
    database.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
