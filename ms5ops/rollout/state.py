"""Read the actual state of a database, and tell one state from another."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

from ms5ops.observe.indexes import Index, read_indexes
from ms5ops.observe.server import Server, quoted
from ms5ops.observe.settings import settings_from
from ms5ops.observe.tables import expected_tables, tables_from
from ms5ops.policy.document import PolicySet
from ms5ops.rollout.aggregate_states import Range, read_aggregate_states
from ms5ops.rollout.records import (
    Chunks,
    Column,
    Constraint,
    IndexState,
    JobState,
    ProcedureState,
    Reference,
    Sequence,
    SettingState,
    State,
    TableState,
    Trigger,
    View,
    plain,
    revive,
)
from ms5ops.rollout.rows import grants, instant, interval_text, read_rows
from ms5ops.rollout.twins import read_twins, require_temporary

__all__ = ["State", "differences", "read_state", "state_from_json", "state_hash", "state_to_json", "unequal"]

DATABASE_SETTINGS = ("random_page_cost", "effective_cache_size", "max_parallel_workers_per_gather", "jit")
SERVER_SETTINGS = (
    "timescaledb.max_background_workers", "max_worker_processes", "max_locks_per_transaction",
    "timescaledb.enable_job_execution_logging", "shared_buffers",
)  # fmt: skip
_KINDS = {
    "policy_compression": "compression",
    "policy_columnstore": "compression",
    "policy_recompression": "other",
    "policy_retention": "retention",
    "policy_refresh_continuous_aggregate": "refresh",
    "policy_reorder": "reorder",
}
_IDS = ("hypertable_id", "mat_hypertable_id")
_CENTURIES = timedelta(days=365_000)


def read_state(server: Server, policy: PolicySet, deploy_role: str | None = None) -> State:
    """Everything that a plan and its inverses depend on, read by some twenty short queries.

    ``deploy_role``: who will apply what is planned from it (None: the role that reads).

    Raises PrivilegeMissing where the role may not make temporary objects (definitions are compared by them),
    FeatureMissing on a standby, and what the server raises.
    """
    server = replace(server, policy=policy)
    able = read_rows(server, "capabilities", schema=policy.schema_name, role=deploy_role)[0]
    require_temporary(able["may_make_temporary"], server.role)
    hypertables = server.rows("hypertables")
    jobs = tuple(_job(row) for row in read_rows(server, "policy_jobs"))
    chunks, ranges = _chunks(server, policy, hypertables)
    settings = _settings(server)
    return State(
        schema=policy.schema_name,
        version=server.version,
        postgres_version=server.postgres_version,
        edition=server.edition,
        reschedules=able["reschedules"],
        tables=_tables(server, policy, hypertables, chunks),
        aggregates=read_aggregate_states(server, policy, hypertables, chunks=chunks, ranges=ranges, jobs=jobs),
        indexes=_indexes(server, policy, hypertables),
        jobs=jobs,
        views=_views(server, policy),
        procedures=tuple(
            ProcedureState(**{**row, "name": policy.qualified(row["name"])})
            for row in read_rows(server, "procedures", schema=policy.schema_name, names=[*policy.jobs])
        ),
        database_settings=dict(row["setting"].split("=", 1) for row in read_rows(server, "database_settings")),
        server_settings=tuple(one for one in settings if one.name not in DATABASE_SETTINGS),
        settings=tuple(one for one in settings if one.name in DATABASE_SETTINGS),
        twins=read_twins(server, policy),
        database_name=server.database_name,
        role=server.role,
        is_superuser=server.is_superuser,
        owns_database=able["owns_database"],
        may_create=able["may_create"],
        read_at=server.read_at.astimezone(UTC).isoformat(),
    )


def state_to_json(state: State) -> dict[str, Any]:
    """As JSON values; ``state_from_json`` gives back an equal state."""
    return dict(plain(state))


def state_from_json(values: Mapping[str, Any]) -> State:
    """The state that ``state_to_json`` wrote; KeyError, TypeError or ValueError where it is not one."""
    found: State = revive(State, values)
    return found


def state_hash(state: State) -> str:
    """SHA-256 (64 hex digits) of what a plan depends on.

    Without what changes by itself: sizes, counts of rows and chunks, next runs; ids of jobs and hypertables, which a
    re-creation changes; the database's name and the reading role, so that equal states of two databases are equal.
    """
    text = json.dumps(plain(state, lasting=True), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def differences(before: State, after: State, most: int = 10) -> list[str]:
    """What differs between two states, of all that the hash covers, in words: ``where: before -> after``."""
    found = list(unequal("", plain(before, lasting=True), plain(after, lasting=True)))
    return found[:most] + ([f"and {len(found) - most} more"] if len(found) > most else [])


def unequal(where: str, before: Any, after: Any) -> Iterable[str]:
    """Where two JSON values differ, in words: ``where: before -> after`` for each piece."""
    if before == after:
        return
    if isinstance(before, list) and isinstance(after, list) and _are_named([*before, *after]):
        before, after = _by_name(before), _by_name(after)
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from unequal(f"{where} {key}".strip(), before.get(key), after.get(key))
        return
    yield f"{where}: {_brief(before)} -> {_brief(after)}"


def _are_named(values: list[Any]) -> bool:
    return all(isinstance(value, dict) and ("name" in value or "procedure" in value) for value in values)


def _by_name(values: list[dict[str, Any]]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for value in values:
        name = value["name"] if "name" in value else f"{value['kind']} job on {value['target'] or value['procedure']}"
        while name in named:
            name += "'"
        named[name] = value
    return named


def _brief(value: Any) -> str:
    if value is None or value == []:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


# Tables ------------------------------------------------------------------------------------------------


def _tables(
    server: Server, policy: PolicySet, hypertables: list[dict[str, Any]], chunks: Mapping[tuple[str, str], Chunks]
) -> tuple[TableState, ...]:
    names = [*policy.tables]
    rows = {row["name"]: row for row in read_rows(server, "tables", schema=policy.schema_name, tables=names)}
    known = {row["table_name"]: row for row in hypertables if row["schema_name"] == policy.schema_name}
    segments = {(row["hypertable_schema"], row["hypertable_name"]): row for row in server.rows("compression_settings")}
    found = []
    for name in names:
        row, hyper = rows.get(name), known.get(name)
        if row is None:
            found.append(TableState(policy.qualified(name), "missing"))
            continue
        table = _table(row, policy.qualified(name), hyper, segments.get((policy.schema_name, name)), chunks)
        found.append(table if hyper else _with_missing_times(server, policy, name, table))
    return tuple(found)


def _table(
    row: Mapping[str, Any],
    qualified: str,
    hyper: Mapping[str, Any] | None,
    segments: Mapping[str, Any] | None,
    chunks: Mapping[tuple[str, str], Chunks],
) -> TableState:
    compressed = bool(hyper and hyper["compression_enabled"])
    own = chunks.get((hyper["storage_schema"], hyper["storage_name"])) if hyper else None
    return TableState(
        name=qualified,
        kind="hypertable" if hyper else "plain",
        owner=row["owner"],
        comment=row["comment"],
        options=tuple(row["options"]),
        is_partitioned=row["is_partitioned"],
        has_row_security=row["row_security"],
        columns=tuple(Column(**one) for one in row["columns"] or ()),
        constraints=tuple(Constraint(**{**one, "columns": tuple(one["columns"])}) for one in row["constraints"] or ()),
        referenced_by=tuple(Reference(**one) for one in row["referenced_by"] or ()),
        triggers=tuple(Trigger(**one) for one in row["triggers"] or ()),
        sequences=tuple(Sequence(**one) for one in row["sequences"] or ()),
        grants=grants(row["grants"]),
        extras=tuple(row["extras"]),
        views=tuple(
            View(**{**one, "options": tuple(one["options"] or ()), "grants": grants(one["grants"])})
            for one in row["views"] or ()
        ),
        time_column=hyper["time_column"] if hyper else None,
        dimensions=hyper["dimensions"] if hyper else 0,
        chunk_interval=interval_text(hyper["chunk_interval"]) if hyper else None,
        compression_enabled=compressed,
        segment_by=tuple(segments["segment_by"]) if compressed and segments else (),
        order_by=tuple(segments["order_by"]) if compressed and segments else (),
        rows=row["rows"],
        size_bytes=row["size_bytes"],
        index_bytes=row["index_bytes"],
        chunks=own or Chunks(),
    )


def _with_missing_times(server: Server, policy: PolicySet, name: str, table: TableState) -> TableState:
    """Rows without a time are counted where the column allows them: they keep a table from being converted."""
    column = table.column(policy.tables[name].time_column)
    if column is None or column.not_null:
        return table
    names = {"relation": quoted(policy.schema_name, name), "column": quoted(column.name)}
    return replace(table, rows_without_time=read_rows(server, "rows_without_time", names)[0]["rows"])


def _chunks(
    server: Server, policy: PolicySet, hypertables: list[dict[str, Any]]
) -> tuple[dict[tuple[str, str], Chunks], dict[tuple[str, str], list[Range]]]:
    """By storage: the chunks of the policy's tables and of the schema's aggregates, and the range of each."""
    wanted = {
        (row["storage_schema"], row["storage_name"]): row["table_name"]
        for row in hypertables
        if row["schema_name"] == policy.schema_name
    }
    grouped: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in read_rows(server, "chunk_ranges", schemas=[a for a, _ in wanted], tables=[b for _, b in wanted]):
        grouped[row["hypertable_schema"], row["hypertable_name"]].append(row)
    found = {}
    for storage, name in wanted.items():
        rows = grouped[storage]
        named = name in policy.tables or name in policy.aggregates
        compress = (policy.compress_after(name) if named else None) or _CENTURIES
        drop = (policy.drop_after(name) if named else None) or _CENTURIES
        found[storage] = Chunks(
            total=len(rows),
            compressed=sum(row["is_compressed"] for row in rows),
            oldest=instant(rows[0]["range_start"]) if rows else None,
            oldest_until=instant(rows[0]["range_end"]) if rows else None,
            newest=instant(rows[-1]["range_end"]) if rows else None,
            to_compress=tuple(
                f"{row['chunk_schema']}.{row['chunk_name']}"
                for row in rows
                if not row["is_compressed"] and row["range_end"] < server.read_at - compress
            ),
            to_drop=sum(row["range_end"] < server.read_at - drop for row in rows),
        )
    return found, {storage: [(row["range_start"], row["range_end"]) for row in grouped[storage]] for storage in wanted}


# Indexes, jobs, views, settings ---------------------------------------------------------------------------------------


def _indexes(server: Server, policy: PolicySet, hypertables: list[dict[str, Any]]) -> tuple[IndexState, ...]:
    tables = tables_from(hypertables, [], None, policy.schema_name, expected_tables(policy))
    found = read_rows(server, "index_comments", schema=policy.schema_name)
    comments = {row["index_name"]: row["comment"] for row in found}
    storage = {table.qualified: table.storage_name for table in tables}
    names = {policy.qualified(name) for name in policy.tables} | {
        table.qualified
        for table in tables
        if table.kind == "continuous aggregate" and table.schema == policy.schema_name
    }
    states = [
        _index(one, comments)
        for one in read_indexes(server, tables).indexes
        # An aggregate's own indexes carry the id of its storage in their names, and come back with it.
        if one.table in names
        and not (one.table_kind == "continuous aggregate" and one.name.startswith(storage[one.table]))
    ]
    return tuple(sorted(states, key=lambda one: (one.table, one.name)))


def _index(one: Index, comments: Mapping[str, str]) -> IndexState:
    definition = one.definition
    if one.table_kind == "continuous aggregate":
        unique = "UNIQUE " if one.is_unique else ""
        definition = f"CREATE {unique}INDEX {one.name} ON {one.table} {definition[definition.index(' USING ') + 1 :]}"
    return IndexState(
        name=one.name,
        table=one.table,
        definition=definition,
        is_unique=one.is_unique,
        is_constraint=one.is_constraint,
        is_broken=one.is_broken,
        comment=comments.get(one.name),
        chunks=one.chunks,
        missing_chunks=one.missing_chunks,
        invalid_chunks=one.invalid_chunks,
        is_valid=one.is_valid,
        size_bytes=one.size_bytes,
    )


def _job(row: Mapping[str, Any]) -> JobState:
    system = row["proc_schema"] in ("_timescaledb_functions", "_timescaledb_internal")
    config = dict(row["config"] or {})
    for key in _IDS:
        config.pop(key, None)
    return JobState(
        kind=_KINDS.get(row["proc_name"], "other") if system else "user",  # type: ignore[arg-type]
        procedure=f"{'_timescaledb_functions' if system else row['proc_schema']}.{row['proc_name']}",
        target=f"{row['target_schema']}.{row['target_name']}" if row["target_name"] else None,
        owner=row["owner"],
        schedule_interval=row["schedule_interval"],
        max_runtime=row["max_runtime"],
        max_retries=row["max_retries"],
        retry_period=row["retry_period"],
        scheduled=row["scheduled"],
        fixed_schedule=row["fixed_schedule"],
        # Without a fixed schedule it was the first run's and means nothing since (and alter_job cannot unset it).
        initial_start=instant(row["initial_start"]) if row["fixed_schedule"] else None,
        timezone=row["timezone"],
        config=config,
        job_id=row["job_id"],
        next_start=instant(row["next_start"]),
    )


def _views(server: Server, policy: PolicySet) -> tuple[View, ...]:
    rows = read_rows(server, "views", schema=policy.schema_name, views=[*policy.views, *policy.aggregates])
    return tuple(
        View(
            name=policy.qualified(row["name"]),
            definition=row["definition"],
            owner=row["owner"],
            comment=row["comment"],
            options=tuple(row["options"]),
            grants=grants(row["grants"]),
            used_by=tuple(row["used_by"]),
        )
        for row in rows
        if not row["is_aggregate"]
    )


def _settings(server: Server) -> tuple[SettingState, ...]:
    names = (*DATABASE_SETTINGS, *SERVER_SETTINGS)
    rows = {row["name"]: row for row in server.rows("settings", names=list(names))}
    numbers = {one.name: one.number for one in settings_from(list(rows.values()), server.database_name)}
    return tuple(
        SettingState(
            name=name,
            value=rows[name]["setting"],
            number=numbers.get(name),
            source=rows[name]["source"],
            boot_value=rows[name]["boot_value"],
        )
        for name in names
        if name in rows
    )
