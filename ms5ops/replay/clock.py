"""The engine's calendar, held: moved to an instant, and on from job to job."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from ms5ops.database import Database, Session
from ms5ops.errors import SandboxError
from ms5ops.queries import ANY_VERSION, query

FOLDER = "replay"
PATIENCE_S = 120.0
_POLL_S = 0.01


class Clock:
    """Moves the engine's calendar for as long as its session lasts (``held``)."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.ahead = timedelta(0)

    def move_to(self, instant: datetime) -> None:
        """It is that instant (aware) now, and goes on from there."""
        text = instant.astimezone(UTC).isoformat(timespec="milliseconds")
        self._session.run(f"SET ms5ops.clock = '{text}'")
        self.ahead = instant - datetime.now(UTC)

    def settle(self) -> None:
        """Wait until the engine's scheduler has run every job that is due; SandboxError where that does not end."""
        deadline = time.monotonic() + PATIENCE_S
        while int(self._row("jobs_due")["due"]):
            if time.monotonic() > deadline:
                raise SandboxError(
                    f"The sandbox's background jobs are not done after {PATIENCE_S:.0f} s.",
                    "See the sandbox's log (python -m ms5ops sandbox status names it), then start again.",
                )
            time.sleep(_POLL_S)

    def next_run(self) -> datetime | None:
        """When the next job is due, None where none is scheduled."""
        found: datetime | None = self._row("next_run")["next_start"]
        return found

    def _row(self, name: str) -> dict[str, Any]:
        return self._session.rows(query(FOLDER, name, ANY_VERSION).sql)[0]


@contextmanager
def held(database: Database) -> Iterator[Clock]:
    """The engine's calendar in one's own hands; when the block ends, however it does, it is the machine's again."""
    with database.session() as session:
        yield Clock(session)
