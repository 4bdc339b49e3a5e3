"""Under what a run works: who, where, its limits, and what may stop it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from ms5ops.database import Database, Session
from ms5ops.rollout.journal import Journal, Who
from ms5ops.rollout.lease import Lease
from ms5ops.rollout.limits import Limits
from ms5ops.rollout.running import Report, Run, Stop, Window


@dataclass(frozen=True)
class Conditions:
    """What a run is told of the world around it.

    ``window`` says whether work may run at an instant (None: always). ``free_bytes`` is the free space of the server's
    disk, None where it cannot be seen. ``witnessed`` is what the journal notes of another place when the run begins.
    """

    who: Who
    environment: str
    embedded: bool
    limits: Limits = field(default_factory=Limits)
    stop: Stop = field(default_factory=Stop)
    report: Report = lambda _progress: None
    window: Window | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    free_bytes: Callable[[], int | None] = lambda: None
    witnessed: str | None = None

    def run(self, database: Database, session: Session, held: Lease, deployment: UUID, total: int) -> Run:
        """A run of that deployment in that session."""
        self.stop.watch(session)
        return Run(
            session=session,
            journal=Journal(session, deployment, self.who),
            lease=held,
            limits=self.limits,
            embedded=self.embedded,
            stop=self.stop,
            report=self.report,
            total=total,
            open_database=lambda: database,
            window=self.window,
            clock=self.clock,
            free_bytes=self.free_bytes,
        )
