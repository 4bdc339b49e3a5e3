"""What every step of a conversion stands on: its bounds, its session, its row in ms5ops.conversion, and retries."""

import json
import os
import random
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from ms5ops.database import Session
from ms5ops.errors import RolloutError, ServerError, StatementConflict
from ms5ops.queries import ANY_VERSION, query
from ms5ops.units import duration_text

T = TypeVar("T")
Row = dict[str, Any]
Report = Callable[[float, str], None]
FOLDER = "rollout/conversion"

# Texts of rows and times must not depend on how a database or role is set up; and a policy that hides rows must be
# an error, not a smaller table.
_SETTINGS = (
    "SET timezone = 'UTC'",
    "SET datestyle = 'ISO, YMD'",
    "SET intervalstyle = 'postgres'",
    "SET bytea_output = 'hex'",
    "SET extra_float_digits = 1",
    "SET row_security = off",
    "SET jit = off",
    "SET statement_timeout = 0",
)


class ConversionRefused(RolloutError):
    """A conversion cannot be done as asked; nothing was changed."""


@dataclass(frozen=True)
class Limits:
    """Bounds of a conversion.

    ``lock_timeout_ms``: the longest that writers are kept waiting by one try, waiting for the lock and holding it
    together. ``batch_rows``: the most rows of one transaction; the pieces are cut so that each takes about
    ``piece_seconds``. ``round_rows``: the most changes carried over in one round of catching up. ``rest_rows``: so
    few changes may be left for the swap, under the lock. ``retry_budget_s``: how long a step is tried again after
    conflicts with other sessions, with pauses from ``backoff_s`` to ``backoff_most_s`` and jitter.
    ``check`` runs between pieces and may raise to interrupt; ``fence`` runs first in every transaction that changes
    anything and may raise. ``free_bytes`` gives the server's free disk, None where it is not known; below
    ``min_free_bytes`` the conversion stops. ``stale_after_s``: a holder on another host that gave no sign of life
    for so long (by the server's clock) is taken to be dead. ``order_index_bytes``: a table larger than that gets an
    index on (time, key) for the copy, if it has none that starts with the time.
    """

    lock_timeout_ms: int = 1_000
    batch_rows: int = 50_000
    piece_seconds: float = 0.5
    round_rows: int = 5_000
    rest_rows: int = 1_000
    retry_budget_s: float = 300.0
    backoff_s: float = 0.5
    backoff_most_s: float = 20.0
    check: Callable[[], None] = lambda: None
    fence: Callable[[Session], None] = lambda _session: None
    wait: Callable[[float], None] = time.sleep
    free_bytes: Callable[[], int | None] = lambda: None
    min_free_bytes: int = 1_000_000_000
    stale_after_s: float = 60.0
    order_index_bytes: int = 16_000_000


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's code of the error that a ServerError came from, None where it came from none."""
    original = getattr(error.__cause__, "orig", None)
    return getattr(original, "pgcode", None)


class Work:
    """One process at work on one conversion: its session, its row, its right to go on."""

    def __init__(self, session: Session, limits: Limits, report: Report) -> None:
        self.session = session
        self.limits = limits
        self._report = report
        self._share = 0.0
        self.record: Row = {}
        self.token = str(uuid4())
        self.server: Row = {}
        for setting in _SETTINGS:
            session.run(setting)

    def report(self, share: float, text: str) -> None:
        """Tell how much is done, 0 to 1, and what is being done."""
        self._share = max(self._share, min(share, 1.0))
        self._report(self._share, text)

    # Statements --------------------------------------------------------------------------------------------

    def ask(self, name: str, **parameters: object) -> list[Row]:
        """The rows of a named query."""
        return self.session.rows(query(FOLDER, name, ANY_VERSION).sql, parameters)

    def text(self, name: str, **parts: object) -> str:
        """A template with its ``{parts}`` filled in."""
        return re.sub(r"\{(\w+)\}", lambda found: str(parts[found[1]]), query(FOLDER, name, ANY_VERSION).sql)

    def read(self, name: str, **parts: object) -> Row:
        """The single row of a filled-in template; an empty one where it gives none."""
        rows = self.session.read(self.text(name, **parts))
        return rows[0] if rows else {}

    def run(self, name: str, **parts: object) -> None:
        """Run a filled-in template."""
        self.session.run(self.text(name, **parts))

    # Transactions ------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self, *, repeatable: bool = False, lock_timeout_ms: int | None = None) -> Iterator[None]:
        """One fenced transaction on the conversion's row; RolloutError where another process has taken it over.

        ``repeatable``: one snapshot for all its statements.
        """
        bound = self.limits.lock_timeout_ms if lock_timeout_ms is None else lock_timeout_ms
        with self.session.transaction(lock_timeout_ms=bound):
            if repeatable and not self.server["embedded"]:  # that one runs a transaction at a time anyway
                self.session.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            self.limits.fence(self.session)
            rows = self.ask("record_lock", id=self.record["id"], token=self.token)
            if not rows:
                raise RolloutError(
                    "Another process has taken this conversion over.", "Let that one finish; this one has stopped."
                )
            self.record = rows[0]
            yield

    def change(self, **values: object) -> None:
        """Write progress to the conversion's row, in the present transaction."""
        empty: Row = dict.fromkeys(("step", "status", "order_index", "position", "compared_until", "blocked_ms"))
        sums = {"copied": 0, "caught_up": 0, "compared": 0, "checksum": "0", "kept_dropped": False}
        self.ask("record_change", id=self.record["id"], **{**empty, **sums, **values})

    def step(self, name: str, **values: object) -> None:
        """Go to the next step, in a transaction of its own."""
        self.retried(lambda: self._step(name, values))

    def _step(self, name: str, values: Row) -> None:
        with self.transaction():
            self.change(step=name, **values)
        self.record["step"] = name

    def retried(self, attempt: Callable[[], T]) -> T:
        """``attempt``, again while another session is in the way and the budget lasts.

        RolloutError, from the last conflict, when the budget is spent; whatever ``limits.check`` raises.
        """
        began, tries, pause = time.monotonic(), 0, self.limits.backoff_s
        while True:
            self.limits.check()
            tries += 1
            try:
                return attempt()
            except StatementConflict as conflict:
                error = conflict
                spent = time.monotonic() - began
                if spent >= self.limits.retry_budget_s:
                    raise RolloutError(
                        f"Other sessions were in the way of the conversion of {self.record.get('table_name')} for "
                        f"{duration_text(spent)}, {tries} tries ({error.happened})",
                        "Nothing is lost: see on Health who holds the lock, then resume.",
                    ) from error
                wait = min(pause * random.uniform(0.5, 1.5), self.limits.retry_budget_s - spent)
            self.report(self._share, f"Try {tries}: {error.happened} Again in {duration_text(wait)}")
            self.limits.wait(wait)
            pause = min(pause * 2, self.limits.backoff_most_s)

    def room(self, needed_bytes: int = 0) -> None:
        """RolloutError where the server's free disk is known and too small."""
        free = self.limits.free_bytes()
        if free is not None and free - needed_bytes < self.limits.min_free_bytes:
            raise RolloutError(
                f"The server's disk has {free:,} bytes free; {needed_bytes:,} are needed and "
                f"{self.limits.min_free_bytes:,} are to stay free.",
                "Make room and resume, or abandon the conversion.",
            )

    # Who is at work ----------------------------------------------------------------------------------------

    def hold(self, record: Row) -> None:
        """Become the one who works on a conversion; RolloutError where another living process does."""
        former = record["holder"]
        if former is not None and self.alive(record):
            raise RolloutError(
                f"The conversion of {record['schema_name']}.{record['table_name']} is being worked on by process "
                f"{former['pid']} on {former['host']}.",
                "Wait until it is done, or stop that process.",
            )

        def attempt() -> None:
            with self.session.transaction(lock_timeout_ms=self.limits.lock_timeout_ms):
                self.limits.fence(self.session)
                if not self.ask(
                    "record_hold",
                    id=record["id"],
                    holder=json.dumps(self.holder()),
                    former=None if former is None else json.dumps(former),
                ):
                    raise RolloutError("Another process has just taken this conversion over.", "Let that one finish.")

        self.record = record
        self.retried(attempt)
        self.take(record)

    def take(self, record: Row) -> None:
        """This process is in the conversion's row: remember it."""
        self.record = record
        _held_here.add(self.token)

    def holder(self) -> Row:
        """This process, as it stands in the conversion's row."""
        pid = os.getpid()
        return {"token": self.token, "host": socket.gethostname(), "pid": pid, "start": _process_start(pid)}

    def release(self) -> None:
        """Let the conversion go; if that fails (a lost connection), it is found dead by its process later."""
        _held_here.discard(self.token)
        if "id" not in self.record:
            return
        try:
            self.ask("record_release", id=self.record["id"], token=self.token)
        except ServerError as error:
            self.report(self._share, f"The conversion's row could not be released: {error.happened}")

    def alive(self, record: Row) -> bool:
        """Whether the holder of a conversion still lives: by its process here, by its signs of life elsewhere."""
        holder = record["holder"]
        if holder["host"] != socket.gethostname():
            return bool(record["silent_seconds"] < self.limits.stale_after_s)
        if holder["pid"] == os.getpid():
            return holder["token"] in _held_here
        start = _process_start(holder["pid"])
        return start is not None and start == holder["start"]


_held_here: set[str] = set()


def _process_start(pid: int) -> str | None:
    """When a process of this host began, in whatever unit the system has; None where it does not live."""
    try:
        # Behind the name in parentheses: state is the first field, the start time the twentieth (proc(5)).
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return "?"
    return "?"
