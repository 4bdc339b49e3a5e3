"""The rows of a conversion: changes logged, rows copied in time order, changes carried over, all compared.

What is right at every moment, and makes a resumed conversion right too: let a pair be a key and a time. Every change
to the predecessor's row of a pair logs that pair in the same transaction. Catching up works in one snapshot: for each
pair it takes from the log, the predecessor's row is put in the successor, or taken out where there is none any more. So
whatever the copy has seen, once the log is empty every pair that ever changed is equal; all others were copied once,
and have not changed.

Oldest first: chunks are then made one after the other, each filled once and never touched again except by late
changes (so it can be compressed soon, and its index pages are written once), one position in (time, key) tells where
to resume, and the moving end of the table is met last, when its newest rows have been carried over from the log.
"""

import json
import time
from typing import Any

from ms5ops.errors import RolloutError, ServerError, StatementConflict
from ms5ops.rollout.conversion_names import identifier, identifiers, literal
from ms5ops.rollout.conversion_rows import Rows
from ms5ops.rollout.conversion_work import Row, Work, sqlstate

FIRST_PIECE_ROWS = 2_000
TRIGGER = "ms5ops_capture_"
_FOREIGN_KEY, _NOT_NULL, _UNIQUE = "23503", "23502", "23505"
_PATIENCE_ROUNDS = 60
"""Rounds of catching up that may leave as much as there was before it is said that writes come too fast."""


class Copy:
    """Log, copy, catch up, compare: each piece is one transaction together with its progress."""

    def __init__(self, work: Work, rows: Rows, chunk_seconds: float) -> None:
        self.work = work
        self.rows = rows
        self.chunk_seconds = max(chunk_seconds, 1.0)
        self.to_hypertable = rows.request.direction == "hypertable"

    # Capture -----------------------------------------------------------------------------------------------

    def log_statements(self) -> list[str]:
        """The log, and the function that writes it with its owner's rights: writers need none."""
        rows = self.rows
        columns = ", ".join(f"{name} {kind}" for name, kind in rows.log_types)
        columns_of_source = identifiers([rows.request.time_column, *rows.keys])
        body = self.work.text(
            "capture_by_statement" if self.to_hypertable else "capture_by_row",
            log=rows.log,
            log_columns=rows.log_columns,
            columns=columns_of_source,
            old_columns=identifiers([rows.request.time_column, *rows.keys], "OLD"),
            new_columns=identifiers([rows.request.time_column, *rows.keys], "NEW"),
        )
        return [
            f"CREATE TABLE {rows.log} (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
            f" truncated boolean NOT NULL DEFAULT false, {columns})",
            # A queue: vacuumed often, analysed never.
            f"ALTER TABLE {rows.log} SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000)",
            f"CREATE FUNCTION {rows.function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
            f" SET search_path = pg_catalog, pg_temp AS {literal(body)}",
            f"REVOKE ALL ON FUNCTION {rows.function}() FROM PUBLIC",
            # A hypertable's owner puts its triggers on every new chunk.
            f"GRANT EXECUTE ON FUNCTION {rows.function}() TO {identifier(rows.definition.relation['owner'])}",
        ]

    def capture(self) -> None:
        """Install the triggers under SHARE ROW EXCLUSIVE on the table: writers wait until those before them are done.

        A transaction that writes and was begun before is waited for, so none is missed. From here on everything is
        logged; rows without a time are put into the log to be filled in.
        """
        rows, session = self.rows, self.work.session
        names = {event: identifier(f"{TRIGGER}{event.lower()}") for event in ("INSERT", "UPDATE", "DELETE", "TRUNCATE")}
        tables = {
            "INSERT": "REFERENCING NEW TABLE AS ms5ops_new",
            "UPDATE": "REFERENCING OLD TABLE AS ms5ops_old NEW TABLE AS ms5ops_new",
            "DELETE": "REFERENCING OLD TABLE AS ms5ops_old",
        }
        wait_ms = self.work.limits.lock_timeout_ms * 8 // 10
        with self.work.transaction(lock_timeout_ms=wait_ms):
            session.run(f"LOCK TABLE {rows.source} IN SHARE ROW EXCLUSIVE MODE")
            for event, name in names.items():
                by_row = not self.to_hypertable and event != "TRUNCATE"
                how = "FOR EACH ROW" if by_row else f"{tables.get(event, '')} FOR EACH STATEMENT"
                session.run(
                    f"CREATE TRIGGER {name} AFTER {event} ON {rows.source} {how} EXECUTE FUNCTION {rows.function}()"
                )
                if self.to_hypertable:  # also where session_replication_role = replica turns ordinary triggers off
                    session.run(f"ALTER TABLE {rows.source} ENABLE ALWAYS TRIGGER {name}")
            self.work.change(step="copy")

    def log_null_times(self) -> None:
        """Once, after ``capture``: what has no time goes through the log, in the transaction that begins the copy."""
        rows = self.rows
        self.work.run(
            "log_null_times",
            log=rows.log,
            log_columns=rows.log_columns,
            columns=identifiers([rows.request.time_column, *rows.keys]),
            source=rows.source,
            time=identifier(rows.request.time_column),
        )

    # Copy --------------------------------------------------------------------------------------------------

    def copy(self) -> None:
        """Copy what is there, in pieces; changes are carried over in between, so that the log stays short."""
        work, piece = self.work, FIRST_PIECE_ROWS
        while True:
            work.room()
            piece = min(piece, work.limits.batch_rows)
            began = time.monotonic()
            last = self._retried(lambda: self._piece(piece))  # noqa: B023 (called at once)
            seconds = time.monotonic() - began
            done, total = work.record["rows_copied"], max(work.record["rows_total"], work.record["rows_copied"], 1)
            work.report(0.05 + 0.65 * done / total, f"Copied {done:,} of about {total:,} rows")
            if last:
                return
            if seconds < work.limits.piece_seconds / 2:
                piece *= 2
            elif seconds > work.limits.piece_seconds * 1.5:
                piece = max(piece // 2, 100)
            self.catch_up(most_left=work.limits.round_rows)

    def _piece(self, size: int) -> bool:
        """One piece; whether it was the last. What appears behind it is in the log."""
        rows, work = self.rows, self.work
        with work.transaction():
            if work.record["position"] is None and rows.filler and not work.record["rows_copied"]:
                self.log_null_times()
            position = work.record["position"]
            time_column = identifier(rows.request.time_column)
            edge = work.read(
                "copy_edge",
                edge=", ".join(f"CAST(x.{name} AS text) AS {name}" for name, _ in rows.log_types),
                pair=rows.pair("s"),
                source=rows.source,
                time=time_column,
                after=rows.beyond(position, ">"),
                order=rows.order,
                skip=size - 1,
            )
            copied = work.read(
                "copy_piece",
                target=rows.target,
                columns=identifiers(rows.definition.stored_columns),
                values=rows.values(rows.definition.stored_columns, source=True),
                source=rows.source,
                time=time_column,
                range=f"{rows.beyond(position, '>')} AND {rows.beyond(edge or None, '<=')}",
                order=rows.order,
                target_key=identifiers(rows.request.primary_key),
            )["rows"]
            work.change(copied=copied, position=json.dumps(edge) if edge else None, step=None if edge else "index")
        work.record["rows_copied"] += copied
        return not edge

    # Catch up ----------------------------------------------------------------------------------------------

    def catch_up(self, most_left: int) -> None:
        """Carry changes over, round by round, until at most ``most_left`` are left.

        RolloutError where more are coming than are carried over.
        """
        work, fewest, patience = self.work, None, _PATIENCE_ROUNDS
        while True:
            left = self.waiting(1_000_000)
            if left <= most_left:
                return
            patience = _PATIENCE_ROUNDS if fewest is None or left < fewest else patience - 1
            fewest = left if fewest is None else min(left, fewest)
            if patience == 0:
                raise RolloutError(
                    f"{work.record['table_name']} is written faster than its changes can be carried over: {left:,} are"
                    " waiting, and they do not get fewer.",
                    "Resume at a quieter time; nothing is lost.",
                )
            self._retried(self._round)

    def waiting(self, most: int) -> int:
        """How many changes are in the log, counted up to ``most``."""
        return int(self.work.read("log_length", log=self.rows.log, most=most)["rows"])

    def _round(self) -> None:
        with self.work.transaction(repeatable=True):
            self.work.change(caught_up=self.round(self.work.limits.round_rows))

    def round(self, most: int | None) -> int:
        """One round within a transaction of one snapshot, or under the lock: how many rows were carried over.

        Both tables are compared for the pairs of the round; RolloutError where they differ.
        """
        rows, work = self.rows, self.work
        head = work.read("log_head", log=rows.log, most="ALL" if most is None else most)
        if not head["rows"]:
            return 0
        if head["emptied"] is not None:
            # TRUNCATE waits for all writers and keeps them out: what the log holds before it is void.
            work.session.run(f"TRUNCATE TABLE {rows.target}")
            work.run("log_tail", log=rows.log, through=head["emptied"])
            return self.round(most)
        names = [name for name, _ in rows.log_types if name != "t"]
        work.run(
            "keys_take",
            keys=", ".join(f"l.{name}" for name in names),
            time=rows.time_of("l.t"),
            log=rows.log,
            through=head["through"],
        )
        # Few keys, many rows: through the keys' indexes, whatever the statistics of a table half filled say.
        for method in ("hashjoin", "mergejoin"):
            work.session.run(f"SET LOCAL enable_{method} = off")
        if rows.request.null_times == "refuse":
            self._refuse_null_times()
        put = self._put()
        self._take_out()
        for method in ("hashjoin", "mergejoin"):
            work.session.run(f"SET LOCAL enable_{method} = on")
        work.session.run("DROP TABLE pg_temp.ms5ops_keys")
        work.run("log_tail", log=rows.log, through=head["through"])
        return put

    def _spans(self) -> list[str]:
        """Bounds on time, one per chunk that has keys of the round: the planner then looks at no other."""
        spans = self.work.session.read(self.work.text("keys_spans", seconds=self.chunk_seconds))
        return [self.rows.span(span["first"], span["last"]) for span in spans]

    def _put(self) -> int:
        """The rows that are there now, compared as they were stored with what they are in the source.

        On a hypertable an INSERT finds the chunk of each row by itself, where any other statement is planned for
        all chunks: so also what has only changed is put in anew.
        """
        rows, work = self.rows, self.work
        columns = rows.definition.stored_columns
        taken = {*rows.request.primary_key, *(c["name"] for c in rows.definition.columns if c["identity"] == "a")}
        changing = [name for name in columns if name not in taken] or [rows.request.time_column]
        every = [identifier(column["name"]) for column in rows.definition.columns]
        put = theirs = 0, 0
        for span in ["true"] if self.to_hypertable else self._spans():
            theirs = _added(theirs, self._sum("keys_sum", source=True, span=span))
            found = work.read(
                "keys_put",
                target=rows.target,
                columns=identifiers(columns),
                values=rows.values(columns, source=True),
                source=rows.source,
                match=rows.match(source=True),
                span=span,
                order=rows.order,
                target_key=identifiers(rows.request.primary_key),
                changes=", ".join(f"{identifier(name)} = EXCLUDED.{identifier(name)}" for name in changing),
                row=", ".join(f"n.{name}" for name in every),
            )
            put = _added(put, found)
            work.run("keys_found", source=rows.source, match=rows.match(source=True), span=span)
        self._same(theirs, put, "rows changed meanwhile")
        return put[0]

    def _take_out(self) -> None:
        """The rows that are gone. From the chunks directly: a DELETE on the hypertable is planned for all of them."""
        rows, work = self.rows, self.work
        if not work.session.read("SELECT FROM pg_temp.ms5ops_keys k LIMIT 1"):
            return
        targets = [rows.target]
        if self.to_hypertable:
            chunks = work.ask("keys_chunks", schema=rows.work_schema, table=rows.definition.table)
            targets = [row["name"] for row in chunks]
        for target in targets:
            work.run("keys_delete", target=target, match=rows.match(source=False))

    def _sum(self, name: str, *, source: bool, **parts: str) -> Row:
        rows = self.rows
        table = rows.source if source else rows.target
        return self.work.read(name, row=rows.row(source=source), table=table, match=rows.match(source=source), **parts)

    def _refuse_null_times(self) -> None:
        found = self.work.read(
            "keys_without_time",
            source=self.rows.source,
            match=" AND ".join(f"s.{identifier(key)} = k.k{n}" for n, key in enumerate(self.rows.keys, 1)),
            time=identifier(self.rows.request.time_column),
        )["rows"]
        if found:
            raise self.without_time(found)

    def without_time(self, count: int) -> RolloutError:
        """The refusal of rows that no chunk can hold."""
        name = f"{self.rows.request.schema}.{self.rows.request.table}"
        return RolloutError(
            f"{count:,} rows of {name} have no {self.rows.request.time_column}, and a hypertable cannot hold them.",
            "Give them a time, or convert with null_times = fill (with null_time_value) or delete.",
        )

    # Compare -----------------------------------------------------------------------------------------------

    def compare(self) -> None:
        """Count and checksum of every time range in both tables, each in one snapshot with the log carried over.

        Outside any lock on the table in use. What changes in a range after its turn is compared by the round that
        carries it over.
        """
        work, rows = self.work, self.rows
        hypertable = (work.record["work_schema"], rows.definition.table)
        if not self.to_hypertable:
            hypertable = (rows.definition.schema, rows.definition.table)
        starts = [row["start"] for row in work.ask("chunk_starts", schema=hypertable[0], table=hypertable[1])]
        edges: list[str | None] = [*starts[1:], None]
        at, width = 0, 1
        if work.record["compared_until"] is not None:
            at = next((n + 1 for n, edge in enumerate(edges) if edge == work.record["compared_until"]), 0)
        while at < len(edges):
            self.catch_up(most_left=work.limits.rest_rows)
            upto = min(at + width, len(edges)) - 1
            start, end = (edges[at - 1] if at else None), edges[upto]
            began = time.monotonic()
            self._retried(lambda: self._compare(start, end))  # noqa: B023 (called at once)
            seconds = time.monotonic() - began
            width = width * 2 if seconds < work.limits.piece_seconds / 2 else max(width // 2, 1)
            at = upto + 1
            share = at / len(edges)
            work.report(
                0.80 + 0.15 * share, f"Compared {work.record['rows_compared']:,} rows, {share:.0%} of the chunks"
            )
        work.step("swap")

    def _compare(self, start: str | None, end: str | None) -> None:
        rows, work = self.rows, self.work
        with work.transaction(repeatable=True):
            caught_up = self.round(None)
            theirs, ours = (
                self._sum("range_sum", source=source, range=rows.within(start, end, source=source))
                for source in (True, False)
            )
            self._same(
                _added((0, 0), theirs), _added((0, 0), ours), f"from {start or 'the beginning'} to {end or 'the end'}"
            )
            work.change(caught_up=caught_up, compared=theirs["rows"], checksum=theirs["checksum"], compared_until=end)
        work.record["rows_compared"] += theirs["rows"]

    def _same(self, theirs: tuple[int, int], ours: tuple[int, int], where: str) -> None:
        if theirs != ours:
            name = f"{self.rows.request.schema}.{self.rows.request.table}"
            raise RolloutError(
                f"The copy of {name} is not equal, {where}: {theirs[0]:,} rows (checksum {theirs[1]}) against"
                f" {ours[0]:,} (checksum {ours[1]}).",
                "The table itself is as it was. Abandon the conversion, and report this.",
            )

    def _retried(self, attempt: Any) -> Any:
        """As ``Work.retried``, where a row that goes while it is copied counts as a conflict too."""

        def translated() -> Any:
            try:
                return attempt()
            except ServerError as error:
                code = sqlstate(error)
                if code == _FOREIGN_KEY:
                    raise StatementConflict(
                        f"A row that others point to went meanwhile ({error.happened})", "It can be tried again."
                    ) from error
                if code == _NOT_NULL and self.to_hypertable:
                    raise RolloutError(
                        f"A row without {self.rows.request.time_column} was written meanwhile ({error.happened})",
                        "See to it that it is written with a time, then resume.",
                    ) from error
                if code == _UNIQUE:
                    raise RolloutError(
                        f"Two rows of {self.rows.request.table} share a key ({error.happened})",
                        "Change one of them and resume, or abandon the conversion.",
                    ) from error
                raise

        return self.work.retried(translated)


def _added(total: tuple[int, int], found: Row) -> tuple[int, int]:
    """Count and checksum, with those of more rows."""
    return total[0] + int(found["rows"]), total[1] + int(found["checksum"])
