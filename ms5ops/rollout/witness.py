"""The journal as a witness: texts from elsewhere that a deployment notes, for whoever doubts that place later."""

from uuid import UUID

from ms5ops.database import Session
from ms5ops.queries import ANY_VERSION, query
from ms5ops.rollout import journal
from ms5ops.rollout.journal import FOLDER, Journal, Reader, Who


def note(session: Session, deployment: UUID, who: Who, text: str) -> None:
    """Note ``text`` with a deployment, in a transaction of its own."""
    with session.transaction():
        Journal(session, deployment, who).event(text)


def noted(reader: Reader, beginning: str) -> tuple[str, ...]:
    """What was noted and begins so, oldest first, without that beginning; empty where there is no journal."""
    if not journal.exists(reader):
        return ()
    rows = reader.rows(query(FOLDER, "events_beginning", ANY_VERSION).sql, {"beginning": beginning})
    return tuple(str(row["message"]).removeprefix(beginning) for row in rows)
