"""Online conversion of a plain table into a hypertable, and back, while it is written to.

The successor is filled beside the table, in a schema of its own, and takes its name under a short lock. Steps, each
resumed where it was left (its progress stands in ms5ops.conversion, in the same transaction as its work):

========== ========================================================= ==========================================
step       does                                                      strongest lock on what is in use
========== ========================================================= ==========================================
(check)    refuses what cannot be carried over, by trying it out     SHARE ROW EXCLUSIVE on tables that its
                                                                     foreign keys point to, rolled back at once
(begin)    the empty successor, the log of changes                   the same, for a moment
order      an index on (time, key), where the table is large         SHARE UPDATE EXCLUSIVE (writers go on)
capture    the triggers that log changes                             SHARE ROW EXCLUSIVE, for a moment
copy       rows in time order, oldest first, a commit per piece      SHARE ROW EXCLUSIVE on tables that its
                                                                     foreign keys point to, while a piece makes
                                                                     chunks: ingest goes on, master data waits
index      unique constraints and indexes of the successor           none
analyse    its statistics, so that it is fast from the first query   none
compare    count and checksum of all ranges in both tables           none
swap       last changes, names, sequences, triggers, views, keys     ACCESS EXCLUSIVE, bounded (conversion_swap)
tidy       verifies; removes log and helpers                         none on the new table
========== ========================================================= ==========================================

Sources: TimescaleDB's advice on lock_timeout and one commit per chunk (timescale/timescaledb issues 4432, 7489).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ms5ops.database import Database
from ms5ops.errors import FeatureMissing, RolloutError
from ms5ops.rollout import conversion_definition as definitions
from ms5ops.rollout import conversion_swap as swapping
from ms5ops.rollout.conversion_begin import begin, check_table, parameters_of
from ms5ops.rollout.conversion_copy import Copy
from ms5ops.rollout.conversion_definition import Definition, Request
from ms5ops.rollout.conversion_names import identifier, identifiers, qualified
from ms5ops.rollout.conversion_rows import Rows
from ms5ops.rollout.conversion_work import FOLDER, ConversionRefused, Limits, Report, Row, Work

Sessions = Callable[[], Database]

__all__ = ["FOLDER", "ConversionRefused", "Limits", "abandon", "check", "convert", "drop_old", "reverse"]


def convert(sessions: Sessions, parameters: dict[str, Any], report: Report, limits: Limits) -> None:
    """Make a hypertable of a plain table, or go on with what was begun, until it is done.

    ``parameters``: schema, table, time_column, chunk_interval (PostgreSQL text), primary_key (columns in order); and
    null_times ("refuse", "delete": they stay behind in the kept table, "fill") with null_time_value. ``report`` gets
    the share done (0 to 1) and a sentence. The predecessor is kept as ``<table>_before_phase4`` with its foreign
    keys; see ``drop_old``. Nothing happens where the newest conversion of the table is done already.

    ConversionRefused where it cannot be done (nothing was changed); RolloutError where it stopped on the way, and
    ServerError where the server failed: call it again, or ``abandon``. Whatever ``limits.check`` raises goes through.
    """
    _convert(sessions, Request.of(parameters, "hypertable"), report, limits)


def reverse(sessions: Sessions, parameters: dict[str, Any], report: Report, limits: Limits) -> None:
    """Make a plain table of a hypertable without losing a row, in the same way as ``convert``.

    ``parameters``: schema, table, time_column, primary_key (``["id"]``) and time_nullable (whether the time column
    may be NULL again). Compressed chunks are read as they are. The hypertable is kept under its own name in a schema
    ms5ops_kept_...; see ``drop_old``. Refused, besides, where rows share a key, where continuous aggregates stand
    on it, and while a job (retention, compression) is scheduled on it: those change chunks behind the triggers.
    """
    _convert(sessions, Request.of({"chunk_interval": "1 day", **parameters}, "plain"), report, limits)


def check(
    sessions: Sessions,
    parameters: dict[str, Any],
    limits: Limits,
    direction: str = "hypertable",
    goes_before: Callable[[str], bool] = lambda _what: False,
) -> None:
    """ConversionRefused, with every reason, where ``convert`` (or, "plain", ``reverse``) would refuse.

    ``goes_before`` says of an obstacle (the words of the query ``obstacles``) that it will be gone by then.
    """
    values = parameters if direction == "hypertable" else {"chunk_interval": "1 day", **parameters}
    request = Request.of(values, direction)
    with _at_work(sessions, limits, lambda _share, _text: None) as work:
        check_table(work, request, goes_before)


def abandon(sessions: Sessions, parameters: dict[str, Any], report: Report, limits: Limits) -> None:
    """Give a conversion up that has not swapped yet; the table is as it was before. May itself be resumed.

    ``parameters``: schema and table, or table as "schema.table".

    ACCESS EXCLUSIVE on the table for a moment (to take the triggers off), and for
    moments on tables that its foreign keys point to (with each few chunks dropped), within ``lock_timeout_ms`` each.
    RolloutError where there is nothing to abandon, or it has swapped: then there is ``reverse``.
    """
    schema, table = definitions.named(parameters)
    with _at_work(sessions, limits, report) as work:
        record = _newest(work, schema, table)
        if record is None or record["status"] not in ("running", "abandoning") or record["step"] in ("tidy", "done"):
            raise RolloutError(
                f"No conversion of {schema}.{table} is under way that could be abandoned.",
                "After the swap there is the way back: reverse it.",
            )
        work.hold(record)
        work.step(record["step"], status="abandoning")
        report(0.1, "Taking the triggers off")
        swapping.drop_triggers(work, qualified(schema, table))
        swapping.drop_order_index(work, schema)
        report(0.3, "Dropping what was copied")
        swapping.drop_chunks(work, record["work_schema"], table)
        swapping.drop_workshop(work, successor=table)
        if record["kept_schema"] != schema:
            work.retried(lambda: _drop_schema(work, record["kept_schema"]))
        work.step("done", status="abandoned")
        report(1.0, "Abandoned; the table is as it was")


def drop_old(
    sessions: Sessions, parameters: dict[str, Any], report: Report, limits: Limits, number: int | None = None
) -> None:
    """Drop the predecessor that a conversion of the table has kept. Its rows are gone for good then.

    ``parameters``: schema and table, or table as "schema.table". ``number`` is the conversion's in ms5ops.conversion
    (None: the newest of the table).

    ACCESS EXCLUSIVE for a moment on tables that its foreign keys point to.
    RolloutError where nothing is kept; nothing else that depends on it is dropped (ServerError names it).
    """
    schema, table = definitions.named(parameters)
    with _at_work(sessions, limits, report) as work:
        found = [row for row in _records(work, schema, table) if number in (None, row["id"])][:1]
        if not found or found[0]["status"] != "done" or found[0]["kept_dropped_at"] is not None:
            raise RolloutError(f"No predecessor of {schema}.{table} is kept.", "There is nothing to drop.")
        record = found[0]
        work.hold(record)
        swapping.drop_chunks(work, record["kept_schema"], record["kept_table"])

        def attempt() -> None:
            with work.transaction():
                work.session.run(f"DROP TABLE {qualified(record['kept_schema'], record['kept_table'])}")
                work.change(kept_dropped=True)

        work.retried(attempt)
        if record["kept_schema"] != schema:
            work.retried(lambda: _drop_schema(work, record["kept_schema"]))
        report(1.0, f"Dropped {record['kept_schema']}.{record['kept_table']}")


# The way through --------------------------------------------------------------------------------------------


def _convert(sessions: Sessions, request: Request, report: Report, limits: Limits) -> None:
    with _at_work(sessions, limits, report) as work:
        record = _newest(work, request.schema, request.table)
        if record is not None and record["status"] == "abandoning":
            raise RolloutError(
                f"A conversion of {request.schema}.{request.table} is being abandoned.", "Finish that first: abandon."
            )
        if record is not None and record["status"] == "running":
            _same_request(record, request)
            work.hold(record)
        elif record is not None and _is_done(work, record, request):
            report(1.0, "It was converted before")
            return
        else:
            definition = check_table(work, request)
            begin(work, request, definition)
        _Conversion(work, request).run()


class _Conversion:
    """The steps of one conversion, from wherever it is."""

    def __init__(self, work: Work, request: Request) -> None:
        self.work = work
        self.request = request
        self.definition = Definition.of_json(work.record["definition"])
        rows = Rows(request, self.definition, work.record["work_schema"])
        seconds = work.session.rows(
            "SELECT extract(epoch FROM CAST(:interval AS interval))::float8 AS seconds",
            {"interval": self._interval()},
        )
        self.copy = Copy(work, rows, seconds[0]["seconds"])

    def _interval(self) -> str:
        """Of the one of the two tables that is a hypertable."""
        if self.request.direction == "hypertable":
            return self.request.chunk_interval
        found = self.work.ask(
            "hypertable", schema=self.request.schema, table=self.request.table, chunk_interval="1 day"
        )
        return str(found[0]["chunk_interval"]) if found else "1 day"  # none after the swap: nothing is copied then

    def run(self) -> None:
        """Until it is done."""
        work = self.work
        if work.record["step"] not in ("tidy", "done"):
            with work.transaction():
                now = Definition.read(work, self.definition.schema, self.definition.table)
            swapping.changed_definition(self.definition, now)
        steps: dict[str, Callable[[], None]] = {
            "order": self._order,
            "capture": self._capture,
            "copy": self._copy,
            "index": self._index,
            "analyse": self._analyse,
            "compare": self.copy.compare,
            "swap": lambda: swapping.swap(work, self.copy),
            "tidy": self._tidy,
        }
        while work.record["step"] != "done":
            steps[work.record["step"]]()

    def _order(self) -> None:
        """An index for the copy's order, where reading the whole table for each piece would take too long."""
        work, definition = self.work, self.definition
        usable = [row for row in definition.indexes if row["btree"] and not row["partial"]]
        led = any(row["leads"] == self.request.time_column for row in usable)
        large = definition.relation["size_bytes"] > work.limits.order_index_bytes
        if self.request.direction == "hypertable" and large and not led:
            name = work.record["order_index"] or f"ms5ops_order_{work.record['id']}"
            work.step("order", order_index=name)
            work.record["order_index"] = name
            work.report(0.02, "Building an index in time order")
            # The embedded engine cannot ("tuple concurrently updated"), and has no one to keep waiting.
            how = "" if work.server["embedded"] else "CONCURRENTLY "
            self._build(
                definition.schema,
                name,
                f"CREATE INDEX {how}{identifier(name)} ON {definition.name}"
                f" ({identifiers([self.request.time_column, *self.copy.rows.keys])})",
            )
        work.step("capture")

    def _capture(self) -> None:
        self.work.report(0.04, "Beginning to log changes")
        self.work.retried(self.copy.capture)
        self.work.record["step"] = "copy"

    def _copy(self) -> None:
        self.copy.copy()
        self.work.record["step"] = "index"

    def _index(self) -> None:
        work, schema = self.work, self.work.record["work_schema"]
        wanted = definitions.indexing(self.definition, schema)
        for number, (name, statement, by_chunk) in enumerate(wanted):
            work.report(0.70 + 0.08 * number / len(wanted), f"Building the index {name}")
            if by_chunk and self.request.direction == "hypertable" and not work.server["embedded"]:
                self._build(schema, name, definitions.chunkwise(statement, self.copy.rows.target))
            elif not work.ask("index_state", schema=schema, index=name):
                work.retried(lambda: self._in_transaction([statement]))  # noqa: B023 (called at once)
            self.copy.catch_up(most_left=work.limits.round_rows)
        remarks = definitions.index_remarks(self.definition, schema)
        work.retried(lambda: self._in_transaction(remarks))
        work.step("analyse")

    def _analyse(self) -> None:
        self.work.report(0.79, "Gathering statistics")
        self._outside(f"ANALYZE {self.copy.rows.target}")
        self.work.step("compare")

    def _tidy(self) -> None:
        work, record = self.work, self.work.record
        swapping.validate_references(work, self.definition)
        swapping.verify(work, self.definition, self.request)
        swapping.drop_order_index(work, record["kept_schema"])
        swapping.drop_workshop(work, successor=None)
        work.step("done", status="done")
        work.report(
            1.0,
            f"Done: {record['rows_compared']:,} rows compared, the former table is kept as"
            f" {record['kept_schema']}.{record['kept_table']}",
        )

    def _build(self, schema: str, name: str, statement: str) -> None:
        """An index outside a transaction: what a crash left half built is dropped first."""

        def attempt() -> None:
            found = self.work.ask("index_state", schema=schema, index=name)
            if found and found[0]["valid"]:
                return
            if found:
                self._in_transaction([f"DROP INDEX {qualified(schema, name)}"])
            self._outside(statement)

        self.work.retried(attempt)

    def _outside(self, statement: str) -> None:
        """A statement that cannot run in a transaction, or should not; it takes no lock that writers wait for."""
        with self.work.transaction():
            self.work.change()
        self.work.session.limit(lock_timeout_ms=0)
        self.work.session.run(statement)

    def _in_transaction(self, statements: list[str]) -> None:
        with self.work.transaction():
            for statement in statements:
                self.work.session.run(statement)
            self.work.change()


def _same_request(record: Row, request: Request) -> None:
    if record["parameters"] != parameters_of(request):
        raise RolloutError(
            f"A conversion of {request.schema}.{request.table} with other parameters is under way.",
            "Resume it with its own, or abandon it.",
        )


def _is_done(work: Work, record: Row, request: Request) -> bool:
    """Whether the newest conversion did what is asked for, and the table still is what it made."""
    if record["status"] != "done" or record["parameters"] != parameters_of(request):
        return False
    found = work.ask("relation", schema=request.schema, table=request.table)
    return bool(found) and found[0]["is_hypertable"] == (request.direction == "hypertable")


def _newest(work: Work, schema: str, table: str) -> Row | None:
    return next(iter(_records(work, schema, table)), None)


def _records(work: Work, schema: str, table: str) -> list[Row]:
    """The conversions of a table, newest first."""
    if not work.ask("record_exists")[0]["table_there"]:
        return []
    return work.ask("records", schema=schema, table=table)


def _drop_schema(work: Work, schema: str) -> None:
    with work.transaction():
        work.session.run(f"DROP SCHEMA IF EXISTS {identifier(schema)}")


@contextmanager
def _at_work(sessions: Sessions, limits: Limits, report: Report) -> Iterator[Work]:
    database = sessions()
    try:
        with database.session() as session:
            work = Work(session, limits, report)
            servers = work.ask("server")
            if not servers:
                raise FeatureMissing(
                    "The timescaledb extension is not installed in this database.", "Install it: CREATE EXTENSION."
                )
            work.server = servers[0]
            try:
                yield work
            finally:
                work.release()
    finally:
        database.close()
