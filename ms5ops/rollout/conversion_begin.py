"""How a conversion begins: everything that would not work is found before anything is changed."""

import json
from collections.abc import Callable
from uuid import uuid4

from ms5ops.errors import RolloutError, ServerError, StatementConflict
from ms5ops.rollout import conversion_definition as definitions
from ms5ops.rollout import conversion_swap as swapping
from ms5ops.rollout.conversion_copy import Copy
from ms5ops.rollout.conversion_definition import Definition, Request
from ms5ops.rollout.conversion_names import identifier, identifiers, suffixed
from ms5ops.rollout.conversion_rows import Rows
from ms5ops.rollout.conversion_work import ConversionRefused, Row, Work


def check_table(work: Work, request: Request, goes_before: Callable[[str], bool] = lambda _what: False) -> Definition:
    """The definition of a table that can be converted; ConversionRefused with every reason where it cannot.

    Obstacles of which ``goes_before`` holds will be gone by then, and do not count.
    """
    name = f"{request.schema}.{request.table}"
    work.record = {"table_name": request.table}
    with work.session.transaction(lock_timeout_ms=work.limits.lock_timeout_ms):
        definition = Definition.read(work, request.schema, request.table)
        others = [row["what"] for row in work.ask("obstacles", schema=request.schema, table=request.table)]
        others = [what for what in others if not goes_before(what)]
    reasons = definitions.refusals(definition, request, others, work.server["timescaledb"])
    reasons += _busy(work)
    kept = suffixed(request.table, swapping.SUFFIX)
    if request.direction == "hypertable" and work.ask("relation", schema=request.schema, table=kept):
        reasons.append(f"a table {kept} is still kept from an earlier conversion: drop it first")
    if not reasons:
        reasons += _row_refusals(work, request, definition)
    if not reasons:
        reasons += _trial(work, request, definition)
    if reasons:
        raise ConversionRefused(
            f"{name} cannot be converted: {'; '.join(reasons)}.",
            "Nothing was changed. Remove what is named, and try again.",
        )
    try:
        work.room(int(definition.relation["size_bytes"] * 1.3))
    except RolloutError as error:
        raise ConversionRefused(
            f"{name} cannot be converted: {error.happened}", "Make room. Nothing was changed."
        ) from error
    return definition


def _busy(work: Work) -> list[str]:
    if not work.ask("record_exists")[0]["table_there"]:
        return []
    return [
        f"{row['schema_name']}.{row['table_name']} is being converted"
        for row in work.ask("records", schema=None, table=None)
        if row["status"] in ("running", "abandoning") and row["holder"] and work.alive(row)
    ]


def _row_refusals(work: Work, request: Request, definition: Definition) -> list[str]:
    """Rows that would not fit: this reads the whole table, without a lock that anyone waits for."""
    work.report(0.0, "Looking for rows that would not fit")
    found = []
    times = work.read("null_times", source=definition.name, time=identifier(request.time_column))
    if times["without_time"] and request.null_times == "refuse":
        found.append(
            f"{times['without_time']:,} rows have no {request.time_column} (give them a time, or convert with"
            " null_times = fill and null_time_value, or delete)"
        )
    if times["infinite"]:
        found.append(f"{times['infinite']:,} rows have an infinite {request.time_column}")
    if request.direction == "plain":
        keys = work.read("shared_keys", source=definition.name, keys=identifiers(request.primary_key, "s"))["keys"]
        if keys:
            found.append(f"{keys:,} values of ({', '.join(request.primary_key)}) occur in more than one row")
    return found


class _Undo(Exception):
    """Ends a trial, so that its transaction is rolled back."""


def _trial(work: Work, request: Request, definition: Definition) -> list[str]:
    """Makes the successor with all that belongs to it, empty, and rolls it back: what the server refuses, in words."""
    schema = f"ms5ops_trial_{uuid4().hex[:8]}"
    work.report(0.0, "Trying the definition out")

    def attempt() -> None:
        with work.session.transaction(lock_timeout_ms=work.limits.lock_timeout_ms):
            _create(work, request, definition, schema)
            for _, statement, _ in definitions.indexing(definition, schema):
                work.session.run(statement)
            for statement in [
                *definitions.index_remarks(definition, schema),
                *definitions.triggers(definition, schema),
            ]:
                work.session.run(statement)
            raise _Undo

    try:
        work.retried(attempt)
    except _Undo:
        return []
    except StatementConflict:
        raise
    except ServerError as error:
        return [error.happened.rstrip(".")]
    return []


def _create(work: Work, request: Request, definition: Definition, schema: str) -> None:
    """The empty successor, the log and its function, in a schema of their own; within a transaction."""
    session = work.session
    _create_schema(work, definition, schema)
    for statement in definitions.creation(definition, request, schema, work.server):
        session.run(statement)
    present = work.ask("grants", schema=schema, table=definition.table)
    is_default = work.ask("relation", schema=schema, table=definition.table)[0]["default_grants"]
    for statement in definitions.ownership(definition, schema, present, is_default):
        session.run(statement)
    for statement in Copy(work, Rows(request, definition, schema), 1.0).log_statements():
        session.run(statement)


def _create_schema(work: Work, definition: Definition, schema: str) -> None:
    """A schema for a table of that owner: its foreign keys are checked, and cascade, with the owner's rights."""
    work.session.run(f"CREATE SCHEMA {identifier(schema)}")
    work.session.run(f"GRANT USAGE ON SCHEMA {identifier(schema)} TO {identifier(definition.relation['owner'])}")


def begin(work: Work, request: Request, definition: Definition) -> None:
    """The conversion's row, the empty successor and the log, in one transaction; from here on it can be resumed."""
    mark = uuid4().hex[:8]
    in_place = request.direction == "hypertable"

    def attempt() -> int:
        with work.session.transaction(lock_timeout_ms=work.limits.lock_timeout_ms):
            work.limits.fence(work.session)
            there = work.ask("record_exists")[0]
            if not there["schema_there"]:
                work.session.run("CREATE SCHEMA ms5ops")
            if not there["table_there"]:
                work.session.run(work.text("record_table"))
            added = work.ask(
                "record_add",
                schema=request.schema,
                table=request.table,
                direction=request.direction,
                parameters=json.dumps(parameters_of(request)),
                definition=definition.to_json(),
                work_schema=f"ms5ops_work_{mark}",
                kept_schema=request.schema if in_place else f"ms5ops_kept_{mark}",
                kept_table=suffixed(request.table, swapping.SUFFIX) if in_place else request.table,
                rows_total=definition.relation["rows"],
                holder=json.dumps(work.holder()),
            )
            if not in_place:
                _create_schema(work, definition, f"ms5ops_kept_{mark}")
            _create(work, request, definition, f"ms5ops_work_{mark}")
            return int(added[0]["id"])

    number = work.retried(attempt)
    work.take(
        next(row for row in work.ask("records", schema=request.schema, table=request.table) if row["id"] == number)
    )


def parameters_of(request: Request) -> Row:
    """A request as it stands with the conversion."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(request).items()}
