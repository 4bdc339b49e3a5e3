"""Conversions in a rollback: what keeps a table from being made plain again, and the way back that fits it.

The short way is a copy under one lock, for a small table with nothing on it that such a copy would lack. Any other goes
the online way, whose predecessor, the hypertable, is kept until someone drops it.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ms5ops.database import Database, Session
from ms5ops.errors import RolloutError
from ms5ops.queries import ANY_VERSION, query
from ms5ops.rollout import conversion, journal, pieces
from ms5ops.rollout.conversion import ConversionRefused
from ms5ops.rollout.journal import Deployment, OperationRow
from ms5ops.rollout.limits import Limits
from ms5ops.rollout.running import Run, holds
from ms5ops.rollout.sql_text import name, split


def is_conversion(row: OperationRow) -> bool:
    """Whether the operation makes a hypertable of a plain table."""
    return row.operation.steps is not None and row.operation.steps.kind == "convert"


def is_converted(session: Session, row: OperationRow) -> bool:
    """Whether the table is a hypertable now."""
    return holds(session, row.operation.verification)


def obstacles(
    database: Database,
    session: Session,
    deployment: Deployment,
    undone: Sequence[OperationRow],
    *,
    limits: Limits,
    embedded: bool,
) -> Iterator[str]:
    """Why tables cannot be made plain again, in sentences; what this rollback takes away first does not count."""
    for row in undone:
        if not is_conversion(row) or row.operation.inverse.impossible or not is_converted(session, row):
            continue
        table = _table(row)
        begun = pieces.conversion_begun(session, table)
        if begun == "plain":
            continue  # it was looked at when it began
        if _is_online(session, row, limits, embedded=embedded):
            parameters = _parameters(session, deployment, row)
            bounds = pieces.conversion_bounds(limits)
            try:
                conversion.check(lambda: database, parameters, bounds, "plain", _goes_before(row, undone))
            except ConversionRefused as refused:
                yield refused.happened.rstrip(".")
        elif keys := _shared_keys(session, row):
            listed = ", ".join(row.operation.before["primary_key"])
            yield f"{table} cannot be made plain again: {keys:,} values of ({listed}) occur in more than one row"


def take_back(run: Run, row: OperationRow) -> None:
    """Make a plain table of it again, or go on with that; journals it as undone."""
    begun = pieces.conversion_begun(run.session, _table(row))
    if begun == "hypertable" and is_converted(run.session, row):
        finish(run, row)
    elif begun == "hypertable":
        report, limits = pieces.conversion_report(run, row), pieces.conversion_limits(run)
        conversion.abandon(run.open_database, _wanted(row), report, limits)
    converted = is_converted(run.session, row)
    if begun == "plain" or (converted and _is_online(run.session, row, run.limits, embedded=run.embedded)):
        _reverse(run, row)
    elif converted:
        statements = row.operation.inverse.statements_for(embedded=run.embedded)
        run.change(row, statements, lambda: run.journal.undone(row, "undone"))
        return
    run.note(lambda: run.journal.undone(row, "undone"))


def finish(run: Run, row: OperationRow) -> None:
    """Tidy up after a conversion that was cut off when its table was a hypertable already; nothing where none was."""
    if pieces.conversion_begun(run.session, _table(row)) == "hypertable":
        report, limits = pieces.conversion_report(run, row), pieces.conversion_limits(run)
        conversion.convert(run.open_database, _wanted(row), report, limits)


def _is_online(session: Session, row: OperationRow, limits: Limits, *, embedded: bool) -> bool:
    """Whether the table is too large for the short way, or has, or had, more than that brings back."""
    table = _table(row)
    if not row.operation.inverse.statements:
        return True
    if (
        not embedded
        and _rows(session, pieces.FOLDER, "table_bytes", table=table)[0]["chunks"] > limits.small_table_chunks
    ):
        return True  # dropping them takes long too; on the embedded engine nobody waits meanwhile
    text = query(pieces.FOLDER, "rows_weighed", ANY_VERSION).sql.replace("{table}", table)
    found = session.rows(text, {"most": limits.small_table_rows + 1})[0]
    if found["rows"] > limits.small_table_rows or found["data_bytes"] > limits.small_table_bytes:
        return True
    schema, bare = split(table)
    now = _rows(session, "rollout", "tables", schema=schema, tables=[bare])[0]
    return bool(now["extras"] or now["views"] or now["referenced_by"])


def _goes_before(row: OperationRow, undone: Sequence[OperationRow]) -> Callable[[str], bool]:
    """Whether an obstacle, in words, is a policy or an aggregate that the rollback takes away before the table."""
    table = _table(row)
    aggregates = {
        f"continuous aggregate {one.operation.target}"
        for one in undone
        if one.operation.kind in ("create_aggregate", "drop_aggregate")
    }
    policies = [
        one.operation.job_kind for one in undone if one.operation.kind == "add_job" and one.operation.target == table
    ]
    return lambda what: (
        what in aggregates or (what.startswith("scheduled job ") and any(f"_{kind}" in what for kind in policies))
    )


def _reverse(run: Run, row: OperationRow) -> None:
    parameters = _parameters(run.session, journal.deployment(run.session, run.journal.deployment), row)
    report, limits = pieces.conversion_report(run, row), pieces.conversion_limits(run)
    conversion.reverse(run.open_database, parameters, report, limits)
    schema, bare = split(_table(row))
    kept = _rows(run.session, conversion.FOLDER, "records", schema=schema, table=bare)[0]
    kept_as = f"{kept['kept_schema']}.{kept['kept_table']}"
    run.note(
        lambda: run.journal.event(
            f"{schema}.{bare} is a plain table again. The hypertable is kept as {kept_as}; when nobody "
            f"misses anything: python -m ms5ops conversions drop {kept_as}",
            "warning",
            row.operation.key,
        )
    )


def _parameters(session: Session, deployment: Deployment, row: OperationRow) -> dict[str, Any]:
    """Of ``conversion.reverse``: with the primary key and the nullable time column of the captured state."""
    table, column = _table(row), _wanted(row)["time_column"]
    _, before = journal.documents(session, deployment.id)
    captured = next((one for one in (before or {}).get("tables", ()) if one["name"] == table), None)
    if captured is None:
        raise RolloutError(f"The captured state has no table {table}.", "Make it plain by hand.")
    return {
        "table": table,
        "time_column": column,
        "primary_key": row.operation.before["primary_key"],
        "time_nullable": any(one["name"] == column and not one["not_null"] for one in captured["columns"]),
    }


def _shared_keys(session: Session, row: OperationRow) -> int:
    """How many values of the former primary key occur in more than one row of a hypertable, which allows that."""
    keys = row.operation.before["primary_key"]
    if not keys:
        return 0
    text = query(conversion.FOLDER, "shared_keys", ANY_VERSION).sql
    filled = text.replace("{source}", _table(row)).replace("{keys}", ", ".join(f"s.{name(key)}" for key in keys))
    return int(session.read(filled)[0]["keys"])


def _wanted(row: OperationRow) -> dict[str, Any]:
    assert row.operation.steps is not None  # noqa: S101  # it is a conversion
    return row.operation.steps.parameters


def _table(row: OperationRow) -> str:
    return str(_wanted(row)["table"])


def _rows(session: Session, folder: str, query_name: str, **parameters: object) -> list[dict[str, Any]]:
    return session.rows(query(folder, query_name, ANY_VERSION).sql, parameters)
