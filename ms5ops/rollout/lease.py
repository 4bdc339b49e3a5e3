"""One applier at a time per database, across hosts, and safe against one that was thought dead.

The holder's token stands in the one row of ``ms5ops.lease``, with a heartbeat by the server's clock. Whoever finds it
older than ``stale_after_s`` may take over. Every transaction that changes anything first locks that row FOR KEY SHARE
and finds its own token there (the fence): a taker waits for such a transaction to end, and after it the former holder
finds another token and stops. A heartbeat does not wait for the fence (UPDATE takes FOR NO KEY UPDATE, which is
compatible). What a dead client left running on the server, outside a transaction of its own, is ended on take-over.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from ms5ops.database import Database, Session
from ms5ops.errors import LeaseLost, LeaseTaken, ServerError, StatementConflict
from ms5ops.queries import ANY_VERSION, query
from ms5ops.rollout.journal import FOLDER, Journal, Reader, Who, exists
from ms5ops.rollout.limits import Limits
from ms5ops.units import duration_text, instant_text

ENDING_LIMIT_S = 10.0


@dataclass
class Lease:
    """The right to change one database, while it is held."""

    token: UUID
    lost: threading.Event = field(default_factory=threading.Event)

    def fence(self, session: Session) -> None:
        """At the head of a transaction that changes something: LeaseLost where someone else has taken over."""
        if self.lost.is_set() or not _rows(session, "fence", token=str(self.token)):
            self.lost.set()
            raise _lost()

    def beat(self, session: Session) -> None:
        """A sign of life; LeaseLost where someone else has taken over."""
        if not _rows(session, "beat", token=str(self.token)):
            self.lost.set()
            raise _lost()


def holder(reader: Reader) -> dict[str, Any] | None:
    """Who holds the database: the row of the query ``lease``, None where nobody does."""
    row = _rows(reader, "lease")[0]
    return row if row["token"] else None


def is_held(reader: Reader, limits: Limits) -> bool:
    """Whether somebody changes the database now, from wherever: a holder that gave a sign of life of late."""
    if not exists(reader):
        return False
    found = holder(reader)
    return found is not None and found["age_seconds"] <= limits.stale_after_s


@contextmanager
def held(
    database: Database, session: Session, deployment: UUID, who: Who, limits: Limits, *, embedded: bool
) -> Iterator[Lease]:
    """Hold the database for the block; LeaseTaken, naming the holder, where another one is alive.

    On a server a thread with a connection of its own gives the signs of life; on the embedded engine, which runs one
    transaction at a time, whoever holds the lease gives them between its own transactions.
    """
    lease = take(session, deployment, who, limits, embedded=embedded)
    ended = threading.Event()
    thread = threading.Thread(target=_beat, args=(database, lease, limits, ended), name="ms5ops heartbeat", daemon=True)
    if not embedded:
        thread.start()
    try:
        yield lease
    finally:
        ended.set()
        if not embedded:
            thread.join()
        if not lease.lost.is_set():
            _release(database, session, lease)


def take(session: Session, deployment: UUID, who: Who, limits: Limits, *, embedded: bool) -> Lease:
    """Become the holder, taking over from one without a sign of life; LeaseTaken where it gives them."""
    found = holder(session)
    if found and found["age_seconds"] <= limits.stale_after_s:
        raise _taken(found, limits)
    lease = Lease(uuid4())
    try:
        with session.transaction(lock_timeout_ms=limits.lock_timeout_ms):
            row = _rows(session, "lock_lease")[0]
            if row["token"] and row["age_seconds"] <= limits.stale_after_s:
                raise _taken(row, limits)
            _rows(
                session, "take_lease",
                token=str(lease.token), deployment=str(deployment), actor=who.actor, host=who.host, pid=who.pid,
            )  # fmt: skip
            if row["token"]:
                Journal(session, deployment, who).event(
                    f"Took over from {row['actor']} on {row['host']} (process {row['pid']}), which gave no sign of "
                    f"life for {duration_text(row['age_seconds'])}.",
                    "warning",
                )
    except StatementConflict as error:  # its transaction still runs, so it lives
        raise _taken(holder(session) or {}, limits) from error
    if row["token"] and not embedded:
        _end_what_it_left(session, row)
    return lease


def _end_what_it_left(session: Session, row: dict[str, Any]) -> None:
    """Wait until the dead holder's last statement is gone from the server, ending it; else two would run at once."""
    deadline = time.monotonic() + ENDING_LIMIT_S
    while _rows(session, "end_backend", backend_pid=row["backend_pid"], taken_at=row["taken_at"]):
        if time.monotonic() > deadline:
            raise LeaseTaken(
                f"The last statement of {row['actor']} on {row['host']} still runs on the server (process "
                f"{row['backend_pid']}), although its client is gone.",
                f"End it (SELECT pg_terminate_backend({row['backend_pid']});) and resume.",
            )
        time.sleep(0.1)


def _beat(database: Database, lease: Lease, limits: Limits, ended: threading.Event) -> None:
    """The thread: signs of life until the end. One that cannot be given is tried again; the fence guards meanwhile."""
    while not ended.is_set() and not lease.lost.is_set():
        try:
            with database.session() as session:
                session.limit(lock_timeout_ms=limits.lock_timeout_ms)
                while not ended.wait(limits.heartbeat_s):
                    lease.beat(session)
        except LeaseLost:
            return  # the flag is set: the executor stops at its next fence
        except ServerError:
            ended.wait(min(1.0, limits.heartbeat_s))


def _release(database: Database, session: Session, lease: Lease) -> None:
    """Give it back, through a fresh connection where the session's own broke; else it goes stale by itself."""

    def through(connection: Session) -> None:
        _rows(connection, "release_lease", token=str(lease.token))

    attempts: list[Callable[[], None]] = [lambda: through(session), lambda: _fresh(database, through)]
    for attempt in attempts:
        try:
            attempt()
        except ServerError:
            continue
        return


def _fresh(database: Database, work: Callable[[Session], None]) -> None:
    with database.session() as session:
        work(session)


def _taken(row: dict[str, Any], limits: Limits) -> LeaseTaken:
    if not row:
        return LeaseTaken("Another process is changing this database just now.", "Wait until it is done.")
    left = limits.stale_after_s - row["age_seconds"]
    return LeaseTaken(
        f"{row['actor']} on {row['host']} (process {row['pid']}) is changing this database since "
        f"{instant_text(row['taken_at'])}; its last sign of life was {duration_text(max(0.0, row['age_seconds']))} "
        "ago.",
        "Wait until it is done, or ask it to pause"
        + (f"; if it is dead, it can be taken over in {duration_text(left)}." if left > 0 else "."),
    )


def _lost() -> LeaseLost:
    return LeaseLost(
        "This process gave no sign of life for too long, and another one has taken over the database.",
        "Nothing more was changed from here. See python -m ms5ops deployments.",
    )


def _rows(reader: Reader, name: str, **parameters: object) -> list[dict[str, Any]]:
    return reader.rows(query(FOLDER, name, ANY_VERSION).sql, parameters)
