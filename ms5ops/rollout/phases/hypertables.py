# ruff: noqa: S608 - generating SQL is its purpose; every value goes through sql_text
"""Phase 1: hypertables with their chunk intervals, and autovacuum by table."""

from ms5ops import units
from ms5ops.policy.document import PolicySet, TablePolicy
from ms5ops.policy.intervals import interval_sql
from ms5ops.rollout.drafts import Draft, convert_key, needs_hypertable, obstacle, owner_of
from ms5ops.rollout.limits import Limits
from ms5ops.rollout.operation import Estimate, Inverse, Lock, Operation, Steps, Verification
from ms5ops.rollout.records import Constraint, State, TableState, span
from ms5ops.rollout.sql_text import comment, interval, literal, name
from ms5ops.rollout.way_back import plain_again

ROWS_A_SECOND = 50_000
"""About what INSERT ... SELECT into new chunks takes in on the embedded engine (20,000 to 80,000); servers do more."""

_AUTOVACUUM = {
    "vacuum_scale_factor": "autovacuum_vacuum_scale_factor",
    "analyze_scale_factor": "autovacuum_analyze_scale_factor",
}


def hypertables(state: State, policy: PolicySet) -> Draft:
    """Conversions of plain tables, chunk intervals of hypertables, autovacuum settings."""
    draft = Draft()
    for wanted in policy.active_tables:
        table, reason = state.table(wanted.name), obstacle(state, policy, wanted.name)
        if reason is not None:
            draft.note(
                "cannot", table.name, f"It does not become a hypertable, nor gets anything that needs one: {reason}."
            )
        elif table.kind == "plain":
            draft.add(_convert(state, table, wanted))
            _note_materialized(table, draft)
        elif span(table.chunk_interval) != wanted.chunk_interval:
            draft.add(_chunk_interval(state, table, wanted))
        if table.kind != "missing":
            draft.add(_autovacuum(state, table, wanted))
    return draft


def _convert(state: State, table: TableState, wanted: TablePolicy) -> Operation:
    key, column = table.primary_key, wanted.time_column
    columns = tuple(key.columns) if key else ()
    new_key = columns if not columns or column in columns else (*columns, column)
    statements = [f"LOCK TABLE {table.name} IN ACCESS EXCLUSIVE MODE"]
    if key and new_key != columns:
        # Before the conversion: added to a hypertable of many chunks it takes far more memory.
        statements.append(f"ALTER TABLE {table.name} DROP CONSTRAINT {name(key.name)}")
    found = table.column(column)
    if found and not found.not_null:
        statements.append(f"ALTER TABLE {table.name} ALTER COLUMN {column} SET NOT NULL")
    if key and new_key != columns:
        listed = ", ".join(map(name, new_key))
        statements.append(f"ALTER TABLE {table.name} ADD CONSTRAINT {name(key.name)} PRIMARY KEY ({listed})")
        statements += _remarks(state, table, key)
    # Without the default index on time: phase 4 builds what is needed, and every index counts once per chunk.
    statements.append(
        f"SELECT create_hypertable({literal(table.name)}, {literal(column)},"
        f" chunk_time_interval => {interval(wanted.chunk_interval)},"
        " migrate_data => true, create_default_indexes => false)"
    )
    rows = table.rows or 0
    keyed = f"PRIMARY KEY ({', '.join(columns)})" if columns else "no primary key"
    return Operation(
        key=convert_key(wanted.name),
        phase=1,
        kind="convert",
        target=table.name,
        title=f"Make {wanted.name} a hypertable",
        actual=f"plain table, {keyed}, about {units.count_text(rows)} rows in {units.bytes_text(table.size_bytes)}",
        desired=f"hypertable by {column}, chunks of {interval_sql(wanted.chunk_interval)}"
        + (f", PRIMARY KEY ({', '.join(new_key)})" if new_key else ""),
        statements=tuple(statements),
        verification=Verification(_chunked_by(table.name, wanted), "1"),
        lock=Lock("ACCESS EXCLUSIVE", table.name, "the copy of all its rows; a moment where it is converted online"),
        inverse=plain_again(state, table),
        before={"kind": "plain", "primary_key": list(columns), "rows": rows, "size_bytes": table.size_bytes},
        estimate=Estimate(
            extra_bytes=table.size_bytes,
            seconds=1 + rows / ROWS_A_SECOND,
            basis=f"a copy of its own size beside it; {ROWS_A_SECOND:,} rows/s",
        ),
        steps=Steps(
            "convert",
            {
                "table": table.name,
                "time_column": column,
                "chunk_interval": interval_sql(wanted.chunk_interval),
                "primary_key": list(new_key),
            },
        ),
        privileges=(*owner_of(state, table.name), f"CREATE on schema {state.schema}"),
    )


def _note_materialized(table: TableState, draft: Draft) -> None:
    """A small table is converted where it is, unless that would take too many chunks; only online the view is lost."""
    for view in (one.name for one in table.views if one.is_materialized):
        draft.note(
            "remark",
            table.name,
            f"The materialized view {view} reads it. Where the conversion makes more than"
            f" {Limits().small_table_chunks} chunks it runs online, and is refused because of the view: drop it before,"
            " and make it anew afterwards.",
        )


def _remarks(state: State, table: TableState, key: Constraint) -> list[str]:
    """The comments on the primary key and its index, which go when it is made anew."""
    found = []
    if key.comment is not None:
        found.append(comment("CONSTRAINT", f"{name(key.name)} ON {table.name}", key.comment))
    index = state.index(key.name)
    if index is not None and index.comment is not None:
        found.append(comment("INDEX", f"{state.schema}.{name(key.name)}", index.comment))
    return found


def _chunked_by(table: str, wanted: TablePolicy) -> str:
    schema, bare = table.split(".", 1)
    return (
        "SELECT count(*) FROM timescaledb_information.dimensions d"
        f" WHERE d.hypertable_schema = {literal(schema)} AND d.hypertable_name = {literal(bare)}"
        f" AND d.column_name = {literal(wanted.time_column)} AND d.time_interval = {interval(wanted.chunk_interval)}"
    )


def _chunk_interval(state: State, table: TableState, wanted: TablePolicy) -> Operation:
    desired = interval_sql(wanted.chunk_interval)
    there = f" (the {table.chunks.total} existing chunks keep their range)" if table.chunks.total else ""
    return Operation(
        key=f"01.{wanted.name}.chunk_interval",
        phase=1,
        kind="chunk_interval",
        target=table.name,
        title=f"New chunks of {wanted.name} span {desired}",
        actual=f"chunks of {table.chunk_interval}",
        desired=f"future chunks of {desired}{there}",
        statements=(f"SELECT set_chunk_time_interval({literal(table.name)}, {interval(desired)})",),
        verification=Verification(_chunked_by(table.name, wanted), "1"),
        lock=Lock("ROW EXCLUSIVE", "the catalogue's entry of the table", "a moment"),
        inverse=Inverse(
            (f"SELECT set_chunk_time_interval({literal(table.name)}, {interval(table.chunk_interval or desired)})",),
            loses="chunks that are made in between keep their range" if table.chunk_interval else None,
        ),
        before={"chunk_interval": table.chunk_interval},
        privileges=owner_of(state, table.name),
    )


def _autovacuum(state: State, table: TableState, wanted: TablePolicy) -> Operation | None:
    if wanted.autovacuum is None:
        return None
    actual = dict(option.split("=", 1) for option in table.options)
    desired = {option: getattr(wanted.autovacuum, part) for part, option in _AUTOVACUUM.items()}
    differing = {key: value for key, value in desired.items() if not _is_number(actual.get(key), value)}
    if not differing:
        return None
    former = [f"{key} = {actual[key]}" for key in differing if key in actual]
    absent = [key for key in differing if key not in actual]
    back = [f"ALTER TABLE {table.name} SET ({', '.join(former)})"] if former else []
    back += [f"ALTER TABLE {table.name} RESET ({', '.join(absent)})"] if absent else []
    listed = ", ".join(f"{key} = {value:g}" for key, value in differing.items())
    return Operation(
        key=f"01.{wanted.name}.autovacuum",
        phase=1,
        kind="autovacuum",
        target=table.name,
        title=f"Autovacuum of {wanted.name} follows its rate of change",
        actual=", ".join(f"{key} {actual.get(key, 'not set')}" for key in differing),
        desired=listed,
        statements=(f"ALTER TABLE {table.name} SET ({listed})",),
        verification=Verification(
            "SELECT count(*) FROM pg_class c, LATERAL pg_options_to_table(c.reloptions) o"
            f" WHERE c.oid = {literal(table.name)}::regclass AND "
            + "("
            + " OR ".join(
                f"o.option_name = {literal(key)} AND o.option_value::float8 = {value:g}"
                for key, value in differing.items()
            )
            + ")",
            str(len(differing)),
        ),
        lock=Lock("SHARE UPDATE EXCLUSIVE", f"{table.name} and its chunks", "a moment"),
        inverse=Inverse(tuple(back)),
        before={key: actual.get(key) for key in differing},
        requires=needs_hypertable(state, wanted.name),
        privileges=owner_of(state, table.name),
    )


def _is_number(text: str | None, value: float) -> bool:
    try:
        return text is not None and float(text) == value
    except ValueError:
        return False
