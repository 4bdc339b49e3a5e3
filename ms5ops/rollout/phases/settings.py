# ruff: noqa: S608 - generating SQL is its purpose; every value goes through sql_text
"""Phase 1, settings: those of the database are changed, those of the server are advice to its administrator."""

import re
from collections.abc import Iterator
from dataclasses import replace

from ms5ops import units
from ms5ops.policy.document import PolicySet
from ms5ops.rollout.drafts import NO_LOCK, Draft
from ms5ops.rollout.operation import Inverse, Operation, Verification
from ms5ops.rollout.records import SettingState, State
from ms5ops.rollout.sql_text import literal
from ms5ops.rollout.sql_text import name as quoted

_BYTES = {"": 8192, "b": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3, "tb": 1024**4}
_MB = 1024**2
_SESSION_SOURCES = ("database", "database user", "user", "session", "client", "interactive")
_WHY = {
    "random_page_cost": "on SSDs the default of 4 makes the planner avoid indexes",
    "effective_cache_size": "memory cannot be seen from here; a quarter of it is taken to be shared_buffers",
    "max_parallel_workers_per_gather": "long ranges of history are scanned in parallel",
    "jit": "compiling wide queries over raw data took up to seven times as long as running them",
}
_SHARED_BUFFERS_SHARE = 0.25
"""PostgreSQL's documentation: a quarter of the machine's memory is a reasonable start for shared_buffers."""


CACHE_SIZE_KEY = "01.database.effective_cache_size"
"""The one setting of a database whose value follows from the server's own."""


def settings(state: State, policy: PolicySet) -> Draft:
    """ALTER DATABASE where the deploying role owns it; advice for what needs its owner, or the administrator."""
    draft = Draft()
    for name, value, number in _database(state, policy):
        found = _alter_database(state, name, value, number)
        if found is not None and not state.owns_database:
            found = _for_the_owner(found, f"ALTER DATABASE {quoted(state.database_name)} SET {name} = {literal(value)}")
        draft.add(found)
    for name, least in _server(policy):
        draft.add(_advice(state, name, least))
    return draft


def _database(state: State, policy: PolicySet) -> Iterator[tuple[str, str, float]]:
    """Name, value as SQL takes it, and the number that an actual value is compared with."""
    wanted = policy.settings.database
    if wanted.random_page_cost is not None:
        yield "random_page_cost", f"{wanted.random_page_cost:g}", wanted.random_page_cost
    if wanted.effective_cache_size_share is not None:
        buffers = next((one.number for one in state.server_settings if one.name == "shared_buffers"), None)
        if buffers:
            megabytes = int(buffers / _SHARED_BUFFERS_SHARE * wanted.effective_cache_size_share / _MB)
            yield "effective_cache_size", f"{megabytes}MB", float(megabytes * _MB)
    if wanted.max_parallel_workers_per_gather is not None:
        number = wanted.max_parallel_workers_per_gather
        yield "max_parallel_workers_per_gather", str(number), float(number)
    if wanted.jit is not None:
        yield "jit", "on" if wanted.jit else "off", float(wanted.jit)


def cache_size_by_server(share: float) -> str:
    """effective_cache_size for a script that does not know its server: raised there, by the rule of ``_database``."""
    return (
        "DO $block$\nDECLARE\n"
        f"    wanted bigint := floor(pg_size_bytes(current_setting('shared_buffers')) / {_SHARED_BUFFERS_SHARE:g}"
        f" * {share:g} / {_MB});\n"
        f"BEGIN\n    IF pg_size_bytes(current_setting('effective_cache_size')) < wanted * {_MB} THEN\n"
        "        EXECUTE format('ALTER DATABASE %I SET effective_cache_size = %L', current_database(),"
        " wanted || 'MB');\n"
        "    END IF;\nEND\n$block$"
    )


def _alter_database(state: State, name: str, value: str, number: float) -> Operation | None:
    own = state.database_settings.get(name)
    actual = own if own is not None else _effective(next((one for one in state.settings if one.name == name), None))
    found = None if actual is None else _number(name, actual)
    # More cache than three times shared_buffers is the administrator's knowledge of the machine.
    if found is not None and (found >= number if name == "effective_cache_size" else found == number):
        return None
    where = "this database" if own is not None else "the server"
    return Operation(
        key=f"01.database.{name}",
        phase=1,
        kind="database_setting",
        target=name,
        title=f"Set {name} for the database",
        actual=f"{actual if actual is not None else 'not known'} ({where})",
        desired=f"{value} ({_WHY[name]})",
        statements=(_in_database(f"SET {name} = {literal(value)}"),),
        verification=Verification(
            "SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase"
            " WHERE d.datname = current_database() AND s.setrole = 0"
            f" AND {literal(f'{name}={value}')} = ANY (s.setconfig)",
            "1",
        ),
        lock=NO_LOCK,
        inverse=Inverse(
            (_in_database(f"RESET {name}" if own is None else f"SET {name} = {literal(own)}"),),
        ),
        before={"database_setting": own},
        privileges=("owner of the database",),
    )


def _for_the_owner(operation: Operation, statement: str) -> Operation:
    return replace(
        operation,
        kind="advice",
        statements=(statement,),
        inverse=Inverse(impossible="this console never changes it: the deploy role does not own the database"),
        advice=True,
    )


def _in_database(action: str) -> str:
    """ALTER DATABASE takes no expression for its name, and a script must not change another database than its own."""
    return (
        "DO $block$ BEGIN EXECUTE format("
        + literal(f"ALTER DATABASE %I {action.replace('%', '%%')}")
        + ", current_database()); END $block$"
    )


def _effective(setting: SettingState | None) -> str | None:
    """The value that sessions start with where the database sets none."""
    if setting is None:
        return None
    if setting.source in _SESSION_SOURCES:  # of this session, from before: the boot value is the better guess
        return setting.boot_value
    return setting.value


def _number(name: str, text: str) -> float | None:
    if name == "jit":
        return {"on": 1.0, "true": 1.0, "1": 1.0, "off": 0.0, "false": 0.0, "0": 0.0}.get(text.lower())
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text, re.IGNORECASE)
    if match is None:
        return None
    factor = _BYTES.get(match[2].lower()) if name == "effective_cache_size" else 1
    return float(match[1]) * factor if factor else None


def _server(policy: PolicySet) -> Iterator[tuple[str, float]]:
    wanted = policy.settings.server
    for name, value in (
        ("timescaledb.max_background_workers", wanted.max_background_workers),
        ("max_worker_processes", wanted.max_worker_processes),
        ("max_locks_per_transaction", wanted.max_locks_per_transaction),
        ("timescaledb.enable_job_execution_logging", wanted.enable_job_execution_logging),
    ):
        if value is not None:
            yield name, float(value)


def _advice(state: State, name: str, least: float) -> Operation | None:
    setting = next((one for one in state.server_settings if one.name == name), None)
    if setting is None or setting.number is None:
        return None  # this version does not have it
    is_switch = name.endswith("_logging")
    if setting.number == least if is_switch else setting.number >= least:
        return None
    value = ("on" if least else "off") if is_switch else f"{least:.0f}"
    effect = "SELECT pg_reload_conf()" if is_switch else "-- then restart the server"
    judged = f"setting = {literal(value)}" if is_switch else f"setting::bigint >= {least:.0f}"
    return Operation(
        key=f"01.server.{name}",
        phase=1,
        kind="advice",
        target=name,
        title=f"{name} = {value}",
        actual=setting.value or units.MISSING,
        desired=value if is_switch else f"at least {value}",
        statements=(f"ALTER SYSTEM SET {name} = {value}", effect),
        verification=Verification(
            f"SELECT CASE WHEN {judged} THEN 'yes' ELSE 'no' END FROM pg_settings WHERE name = {literal(name)}", "yes"
        ),
        lock=NO_LOCK,
        inverse=Inverse(impossible="this console never changes it"),
        before={"value": setting.value},
        privileges=("superuser",),
        advice=True,
    )
