"""Work that is too long for one statement, piece by piece with a commit after each, most recent first.

Every piece starts from what the server shows, so that a run that was paused, or ended, goes on where it was.
"""

import importlib
import importlib.util
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ms5ops.errors import RolloutError
from ms5ops.queries import ANY_VERSION, query
from ms5ops.rollout import journal
from ms5ops.rollout.journal import OperationRow
from ms5ops.rollout.outside import once
from ms5ops.rollout.running import Run, holds, verify
from ms5ops.units import bytes_text, instant_text

CONVERSION = "ms5ops.rollout.conversion"

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
    schema, table = parameters["hypertable"].split(".")
    eligible = _rows(run, "eligible_chunks", schema=schema, table=table, older_than=parameters["older_than"])
    before = len(journal.pieces(run.session, run.journal.deployment, row.ordinal))
    for number, chunk in enumerate(eligible):
        run.check()
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
    found = _rows(run, "chunk_state", chunk=chunk)
    if not found or found[0]["is_compressed"] is compress:
        return  # dropped by retention, or done by the policy's own job meanwhile
    literal = chunk.replace("'", "''")
    call = f"compress_chunk('{literal}', true)" if compress else f"decompress_chunk('{literal}', true)"
    run.change(row, [f"SELECT {call}"], lambda: run.journal.piece(row, chunk) if compress else None)


def _refresh(run: Run, row: OperationRow, parameters: dict[str, Any]) -> None:
    """Window by window back from now. Each reaches one width into the one before it, for buckets across their border.

    What is materialised already is not done again: TimescaleDB refreshes only what its invalidation log names.
    """
    schema, aggregate = parameters["aggregate"].split(".")
    span = _rows(run, "refresh_span", schema=schema, aggregate=aggregate, not_before=parameters.get("not_before"))[0]
    latest, since = span["until"], span["since"]
    if since is None:
        return  # the source has no chunk yet
    until: datetime = latest
    while until > since:
        run.check()
        window = _rows(run, "refresh_window", until=until, since=since, latest=latest, width=parameters["window"])[0]
        once(
            run,
            row,
            f"CALL refresh_continuous_aggregate('{schema}.{aggregate}', '{window['since'].isoformat()}'::timestamptz,"
            f" '{window['overlapping'].isoformat()}'::timestamptz)",
            run.limits.retry_budget_s,
        )
        until = window["since"]
        _tell(run, row, (latest - until) / (latest - since), f"{aggregate}: back to {instant_text(until)}")


def _convert(run: Run, row: OperationRow, parameters: dict[str, Any]) -> None:
    """Online where that is built, else the operation's own statements under one lock, for small tables only."""
    if importlib.util.find_spec(CONVERSION) is not None:
        conversion = importlib.import_module(CONVERSION)

        def report(fraction: float, message: str) -> None:
            run.check()
            _tell(run, row, fraction, message)

        conversion.convert(run.open_session, parameters, report, run.limits)
        return
    size_bytes = _rows(run, "table_bytes", table=parameters["table"])[0]["size_bytes"]
    if size_bytes > run.limits.small_table_bytes:
        raise RolloutError(
            f"{parameters['table']} has {bytes_text(size_bytes)}, too much to be converted under one lock (at most "
            f"{bytes_text(run.limits.small_table_bytes)}).",
            "Convert it in a maintenance window by hand, or raise small_table_bytes.",
        )
    statements = row.operation.statements_for(embedded=run.embedded)
    run.change(row, statements, lambda: verify(run.session, row))


def _tell(run: Run, row: OperationRow, fraction: float, message: str) -> None:
    run.note(lambda: run.journal.progress(row, fraction=round(fraction, 4), message=message))
    run.tell(row, fraction, message)


def _since(instant: datetime | None) -> str:
    return f"chunk from {instant_text(instant)}"


def _rows(run: Run, name: str, **parameters: object) -> list[dict[str, Any]]:
    return run.session.rows(query(FOLDER, name, ANY_VERSION).sql, parameters)
