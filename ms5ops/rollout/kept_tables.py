"""Tables that conversions have replaced and kept: which are there, and dropping one for good.

A conversion keeps the plain table as ``<table>_before_phase4``; its way back keeps the hypertable in a schema of its
own. Neither is read by a rollback, which makes its copy from the table in use: dropping one takes nothing away but the
rows as they were when the tables were exchanged.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

from ms5ops.database import Database, Session
from ms5ops.errors import RolloutError
from ms5ops.queries import ANY_VERSION, query
from ms5ops.rollout import conversion, journal, lease, pieces
from ms5ops.rollout.conditions import Conditions
from ms5ops.rollout.journal import Journal, Reader


@dataclass(frozen=True)
class KeptTable:
    """A table that a conversion has kept. Names are ``schema.table`` without quotes.

    ``name`` is the kept one, ``table`` the one in use now; ``kind`` what the kept one is. ``since``: when the
    conversion was finished, by the server's clock. ``deployment`` and ``number`` of the deployment that converted it,
    or whose rollback did; None where a conversion was run by itself. ``conversion``: its id in ms5ops.conversion.
    """

    name: str
    table: str
    kind: Literal["plain table", "hypertable"]
    size_bytes: int
    since: datetime
    conversion: int
    deployment: UUID | None = None
    number: int | None = None


def kept_tables(reader: Reader) -> tuple[KeptTable, ...]:
    """What conversions have kept in this database, largest first; empty where none was ever begun."""
    if not reader.rows(query(conversion.FOLDER, "record_exists", ANY_VERSION).sql)[0]["table_there"]:
        return ()
    has_journal = journal.exists(reader)
    found = []
    for row in reader.rows(query(conversion.FOLDER, "kept", ANY_VERSION).sql):
        table = f"{row['schema_name']}.{row['table_name']}"
        by = journal.converted_by(reader, table, row["since"]) if has_journal else None
        found.append(
            KeptTable(
                name=f"{row['kept_schema']}.{row['kept_table']}",
                table=table,
                kind="plain table" if row["direction"] == "hypertable" else "hypertable",
                size_bytes=row["size_bytes"],
                since=row["since"],
                conversion=row["id"],
                deployment=by[0] if by else None,
                number=by[1] if by else None,
            )
        )
    return tuple(found)


def kept_table(reader: Reader, wanted: str) -> KeptTable:
    """The kept table of that name, with its schema or, where only one is called so, without.

    RolloutError where nothing, or more than one, is called so.
    """
    found = kept_tables(reader)
    matching = [one for one in found if wanted in (one.name, one.name.partition(".")[2])]
    exact = [one for one in matching if one.name == wanted]
    if len(exact or matching) != 1:
        listed = ", ".join(one.name for one in found) or "nothing"
        raise RolloutError(
            f"{'No' if not matching else 'More than one'} kept table is called {wanted}; kept: {listed}.",
            "python -m ms5ops conversions lists them with their schemas.",
        )
    return (exact or matching)[0]


def drop_kept(database: Database, kept: KeptTable, conditions: Conditions) -> None:
    """Drop a kept table; its rows are gone for good then. The journal keeps who did it.

    LeaseTaken while another process applies or rolls back; RolloutError where it is gone already; ServerError names
    what depends on it. Takes ACCESS EXCLUSIVE on tables that its foreign keys point to, for a moment, with retries.
    """
    limits = conditions.limits
    with database.session() as session:
        journal.prepare(session)
        with lease.held(
            database, session, kept.deployment or uuid4(), conditions.who, limits, embedded=conditions.embedded
        ) as held:
            bounds = replace(pieces.conversion_bounds(limits), wait=conditions.stop.wait, fence=held.fence)
            conversion.drop_old(
                lambda: database, {"table": kept.table}, lambda _share, _text: None, bounds, kept.conversion
            )
            _note(session, kept, conditions)


def _note(session: Session, kept: KeptTable, conditions: Conditions) -> None:
    if kept.deployment is not None:
        Journal(session, kept.deployment, conditions.who).event(
            f"Dropped {kept.name}, the {kept.kind} that was kept of {kept.table}."
        )
