"""What applying and rolling back share: fenced transactions with retries, statements outside them, and when to stop."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from ms5ops.database import Database, Session
from ms5ops.errors import (
    ConnectionLost,
    RolloutError,
    ServerError,
    StatementCancelled,
    StatementConflict,
    VerificationFailed,
)
from ms5ops.rollout.journal import Journal, OperationRow
from ms5ops.rollout.lease import Lease
from ms5ops.rollout.limits import Limits
from ms5ops.rollout.operation import Operation, Verification
from ms5ops.rollout.server_remarks import worth_noting
from ms5ops.units import bytes_text, duration_text

T = TypeVar("T")
LEAST_LOCK_TIMEOUT_MS = 50
_BOOLEANS = {"true": "t", "false": "f"}


@dataclass(frozen=True)
class Progress:
    """How far a run is. ``fraction`` (0 to 1) is of this operation, None where it cannot be told; times in seconds."""

    key: str
    title: str
    ordinal: int
    total: int
    fraction: float | None
    message: str
    operation_seconds: float
    elapsed_seconds: float


Report = Callable[[Progress], None]
Window = Callable[[datetime], bool]


class Paused(RolloutError):
    """The run stopped in good order between two pieces of work. ``cancelled``: it was given up, not only paused."""

    def __init__(self, reason: str, *, cancelled: bool = False) -> None:
        super().__init__(reason, "")
        self.reason = reason
        self.cancelled = cancelled


class Stop:
    """A request to stop from outside the run's thread (Ctrl-C, SIGTERM, a button).

    The run ends after the transaction that it is in; a statement that goes on for longer is cancelled.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self._requested = threading.Event()
        self._session: Session | None = None
        self._timer: threading.Timer | None = None

    @property
    def requested(self) -> bool:
        """Whether it was asked for."""
        return self._requested.is_set()

    def request(self, reason: str, grace_s: float) -> None:
        """Stop after the present transaction, or cancel its statement after ``grace_s``; asked again, at once."""
        again, self.reason = self.requested, reason
        self._requested.set()
        self.settle()
        if again or grace_s <= 0:
            self._cancel()
        else:
            self._timer = threading.Timer(grace_s, self._cancel)
            self._timer.daemon = True
            self._timer.start()

    def watch(self, session: Session | None) -> None:
        """Which session's statement to cancel."""
        self._session = session

    def settle(self) -> None:
        """No cancelling any more: the run has stopped, or is writing down that it has."""
        if self._timer is not None:
            self._timer.cancel()

    def wait(self, seconds: float) -> None:
        """Sleep, but not past a request."""
        self._requested.wait(seconds)

    def _cancel(self) -> None:
        if self._session is not None:
            self._session.cancel()


@dataclass
class Run:
    """One process at work on one deployment. ``window`` says whether work may run at an instant (None: always)."""

    session: Session
    journal: Journal
    lease: Lease
    limits: Limits
    embedded: bool
    stop: Stop
    report: Report
    total: int
    open_database: Callable[[], Database]
    window: Window | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    free_bytes: Callable[[], int | None] = lambda: None
    began: float = field(default_factory=time.monotonic)
    operation_began: float = field(default_factory=time.monotonic)

    def check(self) -> None:
        """Between two pieces of work: Paused where someone asked for it or the window closed, LeaseLost where due."""
        if self.stop.requested:
            raise Paused(self.stop.reason or "Asked to stop.")
        if self.window is not None and not self.window(self.clock()):
            raise Paused("The maintenance window has closed.")
        self.room_for(self.limits.least_free_bytes, "going on")
        with self.session.transaction():
            self.lease.fence(self.session)
            if self.embedded:
                self.lease.beat(self.session)
            asked = self.journal.take_requests()
        for kind in asked:
            if kind != "resume":
                raise Paused(f"Asked to {kind} from another session.", cancelled=kind == "cancel")

    def note(self, work: Callable[[], None]) -> None:
        """Write to the journal in a fenced transaction of its own."""
        with self.session.transaction():
            self.lease.fence(self.session)
            work()
            if self.embedded:
                self.lease.beat(self.session)

    def change(self, row: OperationRow, statements: Sequence[str], finish: Callable[[], None]) -> None:
        """Statements and ``finish`` (verification, journal) in one fenced transaction, tried again after conflicts.

        Locks are waited for no longer than ``lock_timeout_ms`` in all, so that ingest is not held up for longer by
        the waiting; how long they were then held is measured, and more than that is noted as a warning.
        """

        def attempt() -> None:
            bound = self.limits.lock_timeout_ms
            with self.session.transaction():
                self.lease.fence(self.session)
                began = time.monotonic()
                for statement in statements:
                    waited_ms = (time.monotonic() - began) * 1000
                    self.session.limit(lock_timeout_ms=max(LEAST_LOCK_TIMEOUT_MS, round(bound - waited_ms)))
                    self.session.run(statement)
                finish()
                took = time.monotonic() - began
                if took * 1000 > bound and "exclusive" in row.operation.lock.mode.lower():
                    self.journal.event(
                        f"Held {row.operation.lock.mode} on {row.operation.lock.on} for up to {duration_text(took)}, "
                        f"longer than the bound of {duration_text(bound / 1000)}.",
                        "warning",
                        row.operation.key,
                    )
                self.lease.beat(self.session)

        self.retried(row, self.limits.retry_budget_s, attempt)

    def finish(self, row: OperationRow) -> None:
        """Verify what ran outside a transaction, and journal it as done."""

        def attempt() -> None:
            with self.session.transaction(lock_timeout_ms=self.limits.lock_timeout_ms):
                self.lease.fence(self.session)
                verify(self.session, row.operation)
                self.done(row)
                self.lease.beat(self.session)

        self.retried(row, self.limits.retry_budget_s, attempt)

    def done(self, row: OperationRow) -> None:
        """Journal an operation as done, with what the server warned of, in the transaction that is open."""
        self.journal.progress(row, fraction=1.0)
        self.journal.ended(row, "done")
        for warning in worth_noting(self.session.notices()):
            self.journal.event(warning, "warning", row.operation.key)

    def retried(self, row: OperationRow, budget_s: float, attempt: Callable[[], T]) -> T:
        """``attempt``, again and again while another session is in the way and the budget lasts; each is an event."""
        began, tries, pause = time.monotonic(), 0, self.limits.backoff_s
        while True:
            tries += 1
            try:
                return attempt()
            except StatementCancelled as error:
                if self.stop.requested:
                    raise Paused(self.stop.reason or "Asked to stop.") from error
                raise
            except StatementConflict as error:
                spent = time.monotonic() - began
                if spent >= budget_s:
                    raise RolloutError(
                        f"{row.operation.title}: another session was in the way for {duration_text(spent)}, "
                        f"{tries} tries ({error.happened})",
                        "See on Health who holds the lock; then resume.",
                    ) from error
                wait = min(pause * random.uniform(0.5, 1.5), budget_s - spent)
                message = f"Try {tries}: {error.happened} Again in {duration_text(wait)}."
                self.note(lambda: self.journal.event(message, "warning", row.operation.key))  # noqa: B023
                self.tell(row, None, message)
            self.stop.wait(wait)
            self.check()
            pause = min(pause * 2, self.limits.backoff_most_s)

    def begin_operation(self) -> None:
        """An operation begins: its clock starts."""
        self.operation_began = time.monotonic()
        self.session.notices()

    def tell(self, row: OperationRow, fraction: float | None, message: str) -> None:
        """Report progress."""
        now = time.monotonic()
        self.report(
            Progress(
                key=row.operation.key,
                title=row.operation.title,
                ordinal=row.ordinal,
                total=self.total,
                fraction=fraction,
                message=message,
                operation_seconds=now - self.operation_began,
                elapsed_seconds=now - self.began,
            )
        )

    def room_for(self, needed_bytes: int, what: str) -> None:
        """Paused where the server's disk is known to be too full for what comes next (with a tenth in reserve)."""
        free = self.free_bytes()
        if free is not None and free < needed_bytes * (1 + self.limits.disk_reserve_share):
            raise Paused(f"The server's disk has {bytes_text(free)} free; {what} needs {bytes_text(needed_bytes)}.")


def answer(session: Session, verification: Verification) -> str:
    """What the verification's query gives now, as the server's text; "NULL", or "no row" where it gives none."""
    wrapped = f"SELECT v::text AS v FROM ({verification.sql.strip().rstrip(';')}\n) AS q(v)"  # noqa: S608
    rows = session.read(wrapped)
    if len(rows) != 1:
        return "no row" if not rows else f"{len(rows)} rows"
    return "NULL" if rows[0]["v"] is None else str(rows[0]["v"])


def holds(session: Session, verification: Verification) -> bool:
    """Whether the verification's query gives what it gives once the operation is done."""
    return same(answer(session, verification), verification.expected)


def same(found: str, expected: str) -> bool:
    """Whether two values are one as text; a boolean may be written ``t`` or ``true``."""
    return found == expected or _BOOLEANS.get(found.lower(), found) == _BOOLEANS.get(expected.lower(), expected)


def verify(session: Session, operation: Operation) -> None:
    """VerificationFailed where the server does not show what the operation should have brought."""
    verification = operation.verification
    found = answer(session, verification)
    if not same(found, verification.expected):
        raise VerificationFailed(
            f"{operation.title} ran, but the server gives {found!r} where {verification.expected!r} was expected.",
            f"The query was: {' '.join(verification.sql.split())}",
        )


def try_holds(session: Session, verification: Verification) -> tuple[bool | None, str]:
    """As ``holds``, with what was found; None, with the server's sentence, where it refuses the question.

    It does where what the question names is not there. Conflicts, cancelling and lost connections are raised.
    """
    try:
        found = answer(session, verification)
    except (StatementConflict, StatementCancelled, ConnectionLost):
        raise
    except ServerError as error:
        return None, error.happened
    return same(found, verification.expected), found
