"""Server settings beside the values that are wanted, with units resolved and the way to change each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ms5ops.observe.server import Server
from ms5ops.units import MISSING, bytes_text, duration_text

Unit = Literal["bytes", "seconds", "number", "switch", "text"]
Reach = Literal["restart", "reload", "database"]

_BYTES = {"B": 1, "kB": 1024, "8kB": 8192, "MB": 1024**2, "16MB": 16 * 1024**2, "GB": 1024**3, "TB": 1024**4}
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Setting:
    """One setting. ``number`` is in bytes or seconds where ``unit`` says so, None for text.

    ``desired`` says in words what is wanted (None: nothing), ``satisfied`` whether it is so (None: not
    judged, or the role may not see the value). ``reach`` is what a change needs, ``remedy_sql`` the lines to copy.
    """

    name: str
    value: str | None
    number: float | None
    unit: Unit
    source: str | None
    pending_restart: bool
    desired: str | None
    satisfied: bool | None
    why: str
    reach: Reach
    remedy_sql: str | None

    @property
    def text(self) -> str:
        """The value for people."""
        if self.value is None:
            return MISSING
        if self.number is not None and self.unit == "bytes":
            return bytes_text(self.number)
        if self.number is not None and self.unit == "seconds" and self.number >= 0:
            return duration_text(self.number)
        return self.value


@dataclass(frozen=True)
class _Wish:
    why: str
    desired: str | None = None
    holds: Callable[[float, Mapping[str, float]], bool | None] | None = None
    value: str | None = None


def _enough_processes(value: float, numbers: Mapping[str, float]) -> bool | None:
    """TimescaleDB's documentation: 3 + max_background_workers + max_parallel_workers; None where not all are told."""
    background, parallel = numbers.get("timescaledb.max_background_workers"), numbers.get("max_parallel_workers")
    return None if background is None or parallel is None else value >= 3 + background + parallel


# Desired values: Phase 4's "Database settings" and "Monitoring"; reasons are in `why`.
_WISHES: dict[str, _Wish] = {
    "timescaledb.max_background_workers": _Wish(
        "Compression, retention and refresh jobs wait for a free worker when there are fewer.",
        "at least 8", lambda value, _: value >= 8, "8",
    ),
    "max_worker_processes": _Wish(
        "Must hold the background workers, the parallel workers and three more.",
        "at least background workers + parallel workers + 3",
        _enough_processes,
        "19",
    ),
    "max_parallel_workers": _Wish("Parallel workers shared by all queries."),
    "max_parallel_workers_per_gather": _Wish(
        "Long ranges of history are scanned in parallel.", "at least 4", lambda value, _: value >= 4, "4"
    ),
    "random_page_cost": _Wish(
        "On SSDs the default of 4 makes the planner avoid indexes.", "at most 1.1", lambda value, _: value <= 1.1, "1.1"
    ),
    # 75 % of memory is asked for, but memory is not visible through SQL: against shared_buffers, which is 25 %
    # of memory by PostgreSQL's documentation ("a reasonable starting value"), that is three times as much.
    "effective_cache_size": _Wish(
        "Should be 75 % of the machine's memory. Memory cannot be seen from here; judged as three times "
        "shared_buffers.",
        "75 % of memory (three times shared_buffers)",
        lambda value, all_: value >= 3 * all_.get("shared_buffers", 0),
    ),
    "shared_buffers": _Wish("A quarter of the machine's memory is the usual start."),
    "max_locks_per_transaction": _Wish("A query over all chunks locks each of them and each of their indexes."),
    "max_prepared_transactions": _Wish("Counts towards the size of the lock table."),
    "max_connections": _Wish("Counts towards the size of the lock table."),
    "jit": _Wish(
        "Compiling wide queries over raw data took up to seven times as long as running them.",
        "off", lambda value, _: value == 0, "off",
    ),
    "autovacuum": _Wish(
        "Without it statistics age and dead rows stay.", "on", lambda value, _: value == 1, "on"
    ),
    "timescaledb.enable_job_execution_logging": _Wish(
        "Without it the server keeps only failed runs of its jobs.", "on", lambda value, _: value == 1, "on"
    ),
    "track_io_timing": _Wish("Shows how much of a query's time is reading from disk."),
    "work_mem": _Wish("Memory for each sort or hash of each query."),
    "maintenance_work_mem": _Wish("Memory for building indexes and for compressing."),
    "statement_timeout": _Wish("Ends statements that run longer (0: never)."),
    "idle_in_transaction_session_timeout": _Wish("Ends transactions that were left open (0: never)."),
    "shared_preload_libraries": _Wish("pg_stat_statements must be listed here to show the costliest statements."),
    "timescaledb.license": _Wish("The edition."),
}  # fmt: skip
NAMES = tuple(_WISHES)


def read_settings(server: Server) -> tuple[Setting, ...]:
    """The settings of ``NAMES`` in that order; ``value`` None where the server lacks one or the role may not see it."""
    return settings_from(server.rows("settings", names=list(NAMES)), server.database_name)


def settings_from(rows: Sequence[Mapping[str, Any]], database_name: str) -> tuple[Setting, ...]:
    """The records for rows of the query ``settings``."""
    found = {row["name"]: row for row in rows}
    numbers = {name: number for name, row in found.items() if (number := _number(row)) is not None}
    return tuple(_setting(name, found.get(name), numbers, database_name) for name in NAMES)


def setting(settings: Sequence[Setting], name: str) -> Setting | None:
    """The setting of that name, None where it was not read."""
    return next((one for one in settings if one.name == name), None)


def setting_number(settings: Sequence[Setting], name: str) -> float | None:
    """Its number in bytes, seconds or as it is; None where it is not known."""
    found = setting(settings, name)
    return found.number if found else None


def _setting(name: str, row: Mapping[str, Any] | None, numbers: Mapping[str, float], database_name: str) -> Setting:
    wish = _WISHES[name]
    number = numbers.get(name)
    satisfied = None if wish.holds is None or number is None else wish.holds(number, numbers)
    reach = _reach(name, row["context"] if row else None)
    return Setting(
        name=name,
        value=None if row is None else row["setting"],
        number=number,
        unit="text" if row is None else _unit(row),
        source=None if row is None else row["source"],
        pending_restart=bool(row and row["pending_restart"]),
        desired=wish.desired,
        satisfied=satisfied,
        why=wish.why,
        reach=reach,
        remedy_sql=_remedy(name, wish.value, reach, database_name) if satisfied is False and wish.value else None,
    )


def _reach(name: str, context: str | None) -> Reach:
    if context == "postmaster":
        return "restart"
    # ALTER DATABASE ... SET is refused for it although its context says otherwise: phase 4, note 15.
    if context == "sighup" or name == "timescaledb.enable_job_execution_logging":
        return "reload"
    return "database"


def _remedy(name: str, value: str, reach: Reach, database_name: str) -> str:
    if reach == "database":
        quoted = database_name.replace('"', '""')
        return f'ALTER DATABASE "{quoted}" SET {name} = {value};'
    line = f"ALTER SYSTEM SET {name} = {value};"
    return f"{line}\n-- then restart the server" if reach == "restart" else f"{line}\nSELECT pg_reload_conf();"


def _unit(row: Mapping[str, Any]) -> Unit:
    if row["vartype"] == "bool":
        return "switch"
    if row["vartype"] not in ("integer", "real"):
        return "text"
    if row["unit"] in _BYTES:
        return "bytes"
    return "seconds" if row["unit"] in _SECONDS else "number"


def _number(row: Mapping[str, Any]) -> float | None:
    if row["vartype"] == "bool":
        return float(row["setting"] == "on")
    if row["vartype"] not in ("integer", "real"):
        return None
    # -1 and 0 stand for "off" or "default" in settings that carry a unit.
    factor = _BYTES.get(row["unit"]) or _SECONDS.get(row["unit"]) or 1
    value = float(row["setting"])
    return value * factor if value > 0 else value
