"""Work that is too long for one statement, piece by piece with a commit after each, most recent first.

Every piece starts from what the server shows, so that a run that was paused, or ended, goes on where it was.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from ms5ops.database import Session
from ms5ops.errors import ConnectionLost, ServerError, StatementCancelled
from ms5ops.queries import ANY_VERSION, query
from ms5ops.rollout import conversion, journal
from ms5ops.rollout.journal import OperationRow
from ms5ops.rollout.limits import Limits
from ms5ops.rollout.outside import once
from ms5ops.rollout.running import Run, holds, verify
from ms5ops.rollout.sql_text import literal, name, split
from ms5ops.units import instant_text

FOLDER = "rollout/pieces"


def run_pieces(run: Run, row: OperationRow, *, met_again: bool) -> None:
    """All pieces of an operation with ``steps``; Paused between two of them where due.

    ``met_again``: an earlier run began it. A conversion may then be done already; the other kinds find out as they go.
    """
    steps = row.operation.steps
    assert steps is not None  # noqa: S101  # the caller chose by it
    if met_again and steps.kind == "convert" and holds(run.session, row.operation.verification):
        return
    kinds: dict[str, Callable[[Run, OperationRow, dict[str, Any]], None]] = {
        "compress": _compress,
        "refresh": _refresh,
        "convert": _convert,
    }
    kinds[steps.kind](run, row, steps.parameters)


def _compress(run: Run, row: OperationRow, parameters: dict[str, Any]) -> None:
    schema, table = split(parameters["hypertable"])
    eligible = _rows(run, "eligible_chunks", schema=schema, table=table, older_than=parameters["older_than"])
    before = len(journal.pieces(run.session, run.journal.deployment, row.ordinal))
    for number, chunk in enumerate(eligible):
        run.check()
        run.room_for(chunk["size_bytes"], f"compressing {chunk['chunk']}")
        _one_chunk(run, row, chunk["chunk"], compress=True)
        _tell(run, row, (before + number + 1) / (before + len(eligible)), f"{table}: {_since(chunk['range_start'])}")


def decompress(run: Run, row: OperationRow, chunks: list[dict[str, Any]]) -> None:
    """Decompress those chunks (``chunk``, ``range_start``), one commit each."""
    for number, chunk in enumerate(chunks):
        run.check()
        _one_chunk(run, row, chunk["chunk"], compress=False)
        run.tell(row, (number + 1) / len(chunks), f"decompressing {_since(chunk['range_start'])}")


def compressed_chunks(run: Run, schema: str, table: str) -> list[dict[str, Any]]:
    """The compressed chunks of a hypertable (``chunk``, ``range_start``, ``extra_bytes``), newest first."""
    return _rows(run, "compressed_chunks", schema=schema, table=table)


def _one_chunk(run: Run, row: OperationRow, chunk: str, *, compress: bool) -> None:
    if _is_so(run, chunk, compress):
        return
    call = f"{'compress_chunk' if compress else 'decompress_chunk'}({literal(chunk)}, true)"
    try:
        run.change(row, [f"SELECT {call}"], lambda: run.journal.piece(row, chunk) if compress else None)
    except (StatementCancelled, ConnectionLost):
        raise
    except ServerError:
        if not _is_so(run, chunk, compress):  # else the policy's own job did it while this waited for its lock
            raise


def _is_so(run: Run, chunk: str, compress: bool) -> bool:
    """Whether the chunk is as wanted, or gone (dropped by retention)."""
    found = _rows(run, "chunk_state", chunk=chunk)
    return not found or found[0]["is_compressed"] is compress


def _refresh(run: Run, row: OperationRow, parameters: dict[str, Any]) -> None:
    """Window by window back from now. Each reaches one width into the one before it, for buckets across their border.

    What is materialised already is not done again: TimescaleDB refreshes only what its invalidation log names.
    """
    schema, aggregate = split(parameters["aggregate"])
    # The instant where the plan knew one: an interval back from now would leave out what has passed since.
    bounds = {name: parameters.get(name) for name in ("not_before", "not_before_at")}
    span = _rows(run, "refresh_span", schema=schema, aggregate=aggregate, **bounds)[0]
    latest, since = span["until"], span["since"]
    if since is None:
        return  # the source has no chunk yet
    relation = literal(f"{name(schema)}.{name(aggregate)}")
    until: datetime = latest
    while until > since:
        run.check()
        window = _rows(run, "refresh_window", until=until, since=since, latest=latest, width=parameters["window"])[0]
        once(
            run,
            row,
            f"CALL refresh_continuous_aggregate({relation}, '{window['since'].isoformat()}'::timestamptz,"
            f" '{window['overlapping'].isoformat()}'::timestamptz)",
            run.limits.retry_budget_s,
        )
        until = window["since"]
        _tell(run, row, (latest - until) / (latest - since), f"{aggregate}: back to {instant_text(until)}")


def _convert(run: Run, row: OperationRow, parameters: dict[str, Any]) -> None:
    """A small table under one lock, as its statements say; any other online, beside its writers."""
    if conversion_begun(run.session, parameters["table"]) is None and _is_small(run, parameters):
        run.change(row, row.operation.statements_for(embedded=run.embedded), lambda: verify(run.session, row.operation))
        return
    conversion.convert(run.open_database, parameters, conversion_report(run, row), conversion_limits(run))


def _is_small(run: Run, parameters: dict[str, Any]) -> bool:
    """Whether its rows are copied, and its chunks made, so quickly that nobody minds the lock."""
    if _rows(run, "table_bytes", table=parameters["table"])[0]["size_bytes"] > run.limits.small_table_bytes:
        return False
    if run.embedded:
        return True  # one transaction at a time: nobody waits meanwhile
    text = query(FOLDER, "chunks_to_make", ANY_VERSION).sql
    filled = text.replace("{table}", parameters["table"]).replace("{time}", parameters["time_column"])
    found = run.session.rows(filled, {"interval": parameters["chunk_interval"]})
    return bool(found[0]["chunks"] <= run.limits.small_table_chunks)


def conversion_begun(session: Session, table: str) -> str | None:
    """Which online conversion of the table was begun and is not finished: to a "hypertable", to a "plain" table."""
    if not session.rows(query(FOLDER, "conversions_exist", ANY_VERSION).sql)[0]["found"]:
        return None
    schema, bare = split(table)
    found = session.rows(query(FOLDER, "conversion_begun", ANY_VERSION).sql, {"schema": schema, "table": bare})
    return str(found[0]["direction"]) if found else None


def conversion_limits(run: Run) -> conversion.Limits:
    """The run's bounds, its fence and its reasons to stop, as a conversion wants them."""
    return replace(
        conversion_bounds(run.limits),
        check=run.check,
        fence=run.lease.fence,
        wait=run.stop.wait,
        free_bytes=run.free_bytes,
    )


def conversion_bounds(limits: Limits) -> conversion.Limits:
    """The bounds alone, for a conversion outside a run."""
    return conversion.Limits(
        lock_timeout_ms=limits.lock_timeout_ms,
        retry_budget_s=limits.retry_budget_s,
        backoff_s=limits.backoff_s,
        backoff_most_s=limits.backoff_most_s,
        stale_after_s=limits.stale_after_s,
    )


def conversion_report(run: Run, row: OperationRow) -> Callable[[float, str], None]:
    """What a conversion reports its progress to."""
    return lambda fraction, message: run.tell(row, fraction, message)


def _tell(run: Run, row: OperationRow, fraction: float, message: str) -> None:
    run.note(lambda: run.journal.progress(row, fraction=round(fraction, 4), message=message))
    run.tell(row, fraction, message)


def _since(instant: datetime | None) -> str:
    return f"chunk from {instant_text(instant)}"


def _rows(run: Run, name: str, **parameters: object) -> list[dict[str, Any]]:
    return run.session.rows(query(FOLDER, name, ANY_VERSION).sql, parameters)
