"""The swap: the successor takes the table's name under a short ACCESS EXCLUSIVE lock, and what follows it."""

import time

from ms5ops.errors import RolloutError, StatementCancelled, StatementConflict
from ms5ops.rollout import conversion_definition as definitions
from ms5ops.rollout.conversion_copy import TRIGGER, Copy
from ms5ops.rollout.conversion_definition import Definition, Request
from ms5ops.rollout.conversion_names import identifier, literal, qualified, suffixed
from ms5ops.rollout.conversion_work import Work
from ms5ops.units import duration_text

SUFFIX = "_before_phase4"
LEAST_LOCK_TIMEOUT_MS = 50
DROP_AT_ONCE = 10
"""Chunks dropped in one transaction: each takes an ACCESS EXCLUSIVE lock on what its foreign keys point to."""


def swap(work: Work, copy: Copy) -> None:
    """Exchange the tables; writers wait no longer than ``limits.lock_timeout_ms`` in one try.

    ACCESS EXCLUSIVE on the views (first, in the order of their readers), on tables with foreign keys to it, and on
    the table. Under the lock: the definition is compared with that at the beginning, the last changes are carried
    over and compared, names and sequences change hands. A try that would take too long is rolled back, and made
    again with a pause; RolloutError when the retry budget is spent.
    """

    def attempt() -> None:
        copy.catch_up(most_left=work.limits.rest_rows)
        _Swap(work, copy).run()

    work.retried(attempt)
    work.report(0.97, f"Swapped; writers waited up to {duration_text(work.record['blocked_ms'] / 1000)}")


class _Swap:
    """One try."""

    def __init__(self, work: Work, copy: Copy) -> None:
        self.work = work
        self.copy = copy
        self.definition: Definition = copy.rows.definition
        self.bound_ms = work.limits.lock_timeout_ms
        self.timed = not work.server["embedded"]  # one transaction at a time: no one waits
        self.began = time.monotonic()

    def run(self) -> None:
        work = self.work
        try:
            with work.transaction(lock_timeout_ms=self.bound_ms // 2):
                self._lock()
                self._compare_definition()
                self._last_changes()
                for statement in self._statements():
                    self._run(statement)
                blocked_ms = self._elapsed_ms()
                self._in_time()
                work.change(step="tidy", blocked_ms=blocked_ms)
        except StatementCancelled as error:
            if self._elapsed_ms() < self.bound_ms * 0.9:
                raise  # not by our own limit
            raise self._too_slow() from error
        work.record.update(step="tidy", blocked_ms=blocked_ms)

    def _lock(self) -> None:
        session, definition = self.work.session, self.definition
        for statement in definitions.view_locks(definition):
            session.run(statement)
        for row in definition.referencing:
            session.run(f"LOCK TABLE {qualified(row['schema_name'], row['table_name'])} IN ACCESS EXCLUSIVE MODE")
        self.began = time.monotonic()
        session.run(f"LOCK TABLE {definition.name} IN ACCESS EXCLUSIVE MODE")

    def _compare_definition(self) -> None:
        now = Definition.read(self.work, self.definition.schema, self.definition.table)
        changed_definition(self.definition, now)

    def _last_changes(self) -> None:
        most = 2 * self.work.limits.rest_rows
        if self.timed and self.copy.waiting(most + 1) > most:
            raise StatementConflict("More rows changed while the lock was waited for than can be carried over.", "")
        self.work.change(caught_up=self.copy.round(None))

    def _run(self, statement: str) -> None:
        self._in_time()
        left_ms = max(LEAST_LOCK_TIMEOUT_MS, round(self.bound_ms - self._elapsed_ms()))
        if self.timed:
            self.work.session.limit(lock_timeout_ms=left_ms, statement_timeout_ms=left_ms)
        self.work.session.run(statement)

    def _elapsed_ms(self) -> float:
        return (time.monotonic() - self.began) * 1000

    def _in_time(self) -> None:
        if self.timed and self._elapsed_ms() > self.bound_ms:
            raise self._too_slow()

    def _too_slow(self) -> StatementConflict:
        return StatementConflict(
            f"The swap would have kept writers waiting for longer than {duration_text(self.bound_ms / 1000)}.", ""
        )

    def _statements(self) -> list[str]:
        definition, record = self.definition, self.work.record
        off, on = definitions.references(definition)
        home, work_table = definition.name, self.copy.rows.target
        kept_in_place = record["kept_schema"] == definition.schema
        return [
            *(f"DROP TRIGGER {identifier(TRIGGER + event)} ON {home}" for event in _EVENTS),
            *off,
            *self._sequences_before(work_table, kept_in_place),
            *(self._rename_away() if kept_in_place else self._move_away()),
            f"ALTER TABLE {work_table} SET SCHEMA {identifier(definition.schema)}",
            *self._sequences_after(),
            *definitions.statistics(definition, record["kept_schema"], SUFFIX),
            *definitions.triggers(definition, definition.schema),
            *definitions.views(definition),
            *on,
        ]

    def _rename_away(self) -> list[str]:
        definition, kept = self.definition, self.work.record["kept_table"]
        return [
            *(
                f"ALTER INDEX {qualified(definition.schema, row['name'])} RENAME TO"
                f" {identifier(suffixed(row['name'], SUFFIX))}"
                for row in definition.indexes
            ),
            f"ALTER TABLE {definition.name} RENAME TO {identifier(kept)}",
        ]

    def _move_away(self) -> list[str]:
        # Renaming the indexes of a hypertable would rename those of every chunk: into a schema of its own instead.
        return [f"ALTER TABLE {self.definition.name} SET SCHEMA {identifier(self.work.record['kept_schema'])}"]

    def _sequences_before(self, work_table: str, kept_in_place: bool) -> list[str]:
        found = []
        for row in self.definition.sequences:
            name = qualified(row["schema_name"], row["name"])
            if row["identity"]:
                successor = f"pg_get_serial_sequence({literal(work_table)}, {literal(row['column_name'])})"
                found.append(self.work.text("sequence_position", successor=successor, sequence=name))
                if kept_in_place:
                    found.append(f"ALTER SEQUENCE {name} RENAME TO {identifier(suffixed(row['name'], SUFFIX))}")
            elif not kept_in_place:
                found.append(f"ALTER SEQUENCE {name} OWNED BY NONE")  # or it would move along
        return found

    def _sequences_after(self) -> list[str]:
        return [
            f"ALTER SEQUENCE {qualified(row['schema_name'], row['name'])} OWNED BY"
            f" {self.definition.name}.{identifier(row['column_name'])}"
            for row in self.definition.sequences
            if not row["identity"]
        ]


_EVENTS = ("insert", "update", "delete", "truncate")


def changed_definition(recorded: Definition, now: Definition) -> None:
    """RolloutError where someone has changed the table's definition since the conversion began."""
    parts = recorded.difference(now)
    if parts:
        raise RolloutError(
            f"The definition of {recorded.schema}.{recorded.table} has changed since its conversion began"
            f" ({', '.join(parts)}).",
            "Abandon the conversion and begin again.",
        )


# After the swap ---------------------------------------------------------------------------------------------


def verify(work: Work, recorded: Definition, request: Request) -> None:
    """RolloutError where the successor lacks anything that the table had, or is not what was asked for."""
    with work.transaction():
        now = Definition.read(work, recorded.schema, recorded.table)
        found = work.ask(
            "hypertable", schema=recorded.schema, table=recorded.table, chunk_interval=request.chunk_interval
        )
    wrong = []
    if request.direction == "hypertable":
        if not found or found[0]["time_column"] != request.time_column or not found[0]["same_interval"]:
            wrong.append("the chunk interval")
    elif found:
        wrong.append("that it is a plain table")
    if (now.key or {}).get("columns") != list(request.primary_key):
        wrong.append("the primary key")
    parts = ("columns", "constraints", "indexes", "triggers", "views", "grants", "sequences", "referencing")
    wrong += [
        f"the {part}" for part in parts if _comparable(now, part, request) != _comparable(recorded, part, request)
    ]
    if any(now.relation[name] != recorded.relation[name] for name in ("owner", "comment", "options", "toast_options")):
        wrong.append("owner, comment or storage options")
    if wrong:
        raise RolloutError(
            f"{recorded.schema}.{recorded.table} has been exchanged, but {', '.join(wrong)} is not as it should be.",
            f"Compare it with {work.record['kept_schema']}.{work.record['kept_table']}, which holds what was there.",
        )


def _comparable(definition: Definition, part: str, request: Request) -> object:
    rows = getattr(definition, part)
    if part == "columns":
        return [{**row, "not_null": row["not_null"] or row["name"] == request.time_column} for row in rows]
    if part in ("constraints", "indexes"):
        key = (definition.key or {}).get("index_name")
        name = "index_name" if part == "constraints" else "name"
        return [row for row in rows if row[name] != key or key is None]
    if part == "sequences":
        return [{**row, "name": row["name"] if not row["identity"] else ""} for row in rows]
    if part == "grants":
        names = ("column_name", "grantee", "privilege", "grantable")
        return sorted(str([row[name] for name in names]) for row in rows if not definition.relation["default_grants"])
    if part == "referencing":
        return [(row["schema_name"], row["table_name"], row["name"], row["columns"]) for row in rows]
    return rows


def validate_references(work: Work, recorded: Definition) -> None:
    """Check the foreign keys of other tables, under SHARE UPDATE EXCLUSIVE on those: readers and writers go on."""
    for row in recorded.referencing:
        if not row["valid"]:
            continue
        table = qualified(row["schema_name"], row["table_name"])

        def attempt(table: str = table, name: str = row["name"]) -> None:
            with work.transaction():
                work.session.run(f"ALTER TABLE {table} VALIDATE CONSTRAINT {identifier(name)}")

        work.retried(attempt)


def drop_order_index(work: Work, schema: str) -> None:
    """Drop the index that the conversion made for itself, if it is there."""
    name = work.record["order_index"]
    if name is None:
        return

    def attempt() -> None:
        with work.transaction():
            work.session.run(f"DROP INDEX IF EXISTS {qualified(schema, name)}")

    work.retried(attempt)


def drop_chunks(work: Work, schema: str, table: str) -> None:
    """Drop the chunks of a hypertable that nobody uses any more, a few per transaction: never one big one."""
    while True:
        names = [row["name"] for row in work.ask("chunk_tables", schema=schema, table=table)][:DROP_AT_ONCE]
        if not names:
            return

        def attempt(names: list[str] = names) -> None:
            with work.transaction():
                for name in names:
                    work.session.run(f"DROP TABLE {name}")

        work.retried(attempt)


def drop_workshop(work: Work, *, successor: str | None) -> None:
    """Drop log, function and schema of the conversion, and the ``successor`` where it never came into use."""
    schema = identifier(work.record["work_schema"])

    def attempt() -> None:
        with work.transaction():
            if successor is not None:
                work.session.run(f"DROP TABLE IF EXISTS {schema}.{identifier(successor)}")
            work.session.run(f"DROP TABLE IF EXISTS {schema}.ms5ops_log")
            work.session.run(f"DROP FUNCTION IF EXISTS {schema}.ms5ops_capture()")
            work.session.run(f"DROP SCHEMA IF EXISTS {schema}")

    work.retried(attempt)


def drop_triggers(work: Work, table: str) -> None:
    """Take the capture off the table in use: ACCESS EXCLUSIVE, for a moment, with retries."""

    def attempt() -> None:
        with work.transaction(lock_timeout_ms=work.limits.lock_timeout_ms * 8 // 10):
            for event in _EVENTS:
                work.session.run(f"DROP TRIGGER IF EXISTS {identifier(TRIGGER + event)} ON {table}")

    work.retried(attempt)
