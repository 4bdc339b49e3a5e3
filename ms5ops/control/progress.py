"""How far a deployment is, read from the journal in its database: the same for every page, host and restart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ms5ops.queries import ANY_VERSION, query
from ms5ops.rollout import journal, lease
from ms5ops.rollout.journal import Deployment, Event, OperationRow, Reader
from ms5ops.rollout.limits import Limits
from ms5ops.rollout.operation import Operation

FINISHED = ("done", "skipped")


@dataclass(frozen=True)
class Live:
    """One deployment as it is now. ``holder`` names who works on it (None: nobody is alive there).

    ``elapsed_seconds`` of the deployment so far or in all; ``left_seconds`` an estimate, None where it cannot be told.
    """

    deployment: Deployment
    rows: tuple[OperationRow, ...]
    events: tuple[Event, ...]
    holder: str | None
    elapsed_seconds: float
    left_seconds: float | None

    @property
    def is_working(self) -> bool:
        """Whether a process works on it now."""
        return self.holder is not None

    @property
    def is_stranded(self) -> bool:
        """Whether it is said to run, and nobody does: its process died, and it waits to be resumed or rolled back."""
        return self.deployment.status in ("running", "planned") and self.holder is None

    @property
    def current(self) -> OperationRow | None:
        """The operation at work."""
        busy = ("undoing",) if self.deployment.direction == "rollback" else ("running",)
        return next((row for row in self.rows if row.status in busy), None)

    @property
    def fraction(self) -> float:
        """The share of operations that is done (or undone), 0 to 1."""
        if self.deployment.direction == "rollback":
            begun = [row for row in self.rows if row.status not in ("pending", "skipped")]
            return sum(row.status == "undone" for row in begun) / len(begun) if begun else 1.0
        return sum(row.status in FINISHED for row in self.rows) / len(self.rows) if self.rows else 1.0


def known_operations(reader: Reader, deployment: UUID) -> dict[str, Operation]:
    """The operations of a deployment by key; they never change, so that they may be kept."""
    plan, _ = journal.documents(reader, deployment)
    return {values["key"]: Operation.from_json(values) for values in [*plan["operations"], *plan["advice"]]}


def read_live(
    reader: Reader, deployment: UUID, known: Mapping[str, Operation], now: datetime, limits: Limits | None = None
) -> Live:
    """A deployment as the journal tells it now; ``known`` as ``known_operations`` gave it.

    Spans count to the server's clock, by which the journal is written, where somebody works on it; else to ``now``.
    """
    found = journal.deployment(reader, deployment)
    rows = tuple(
        OperationRow(operation=known[row["key"]], **{name: row[name] for name in row if name not in ("key", "phase")})
        for row in reader.rows(query(journal.FOLDER, "operations", ANY_VERSION).sql, {"deployment": str(deployment)})
    )
    held = lease.holder(reader)
    alive = held is not None and str(held["deployment"]) == str(deployment)
    alive = alive and held is not None and held["age_seconds"] <= (limits or Limits()).stale_after_s
    if held is not None:
        now = held["read_at"]
    return Live(
        deployment=found,
        rows=rows,
        events=journal.events(reader, deployment),
        holder=f"{held['actor']} on {held['host']}, process {held['pid']}" if alive and held else None,
        elapsed_seconds=max(0.0, ((found.finished_at or now) - found.started_at).total_seconds()),
        left_seconds=None if not found.is_open else time_left(rows, now),
    )


def time_left(rows: Sequence[OperationRow], now: datetime) -> float | None:
    """Seconds that the rest will take: the estimates of what is left, by how estimates have held so far.

    None where an operation that is left has no estimate and takes more than a statement (compressing, filling).
    """
    left = [row for row in rows if row.status in ("pending", "running", "failed") and not row.operation.advice]
    if any(row.operation.estimate.seconds is None and row.operation.steps is not None for row in left):
        return None
    done = [row for row in rows if row.status == "done" and row.seconds is not None]
    planned = sum(row.operation.estimate.seconds or 0.0 for row in done)
    taken = sum(row.seconds or 0.0 for row in done if row.operation.estimate.seconds)
    factor = min(10.0, max(0.1, taken / planned)) if planned > 0 and taken > 0 else 1.0
    statements = [row.seconds or 0.0 for row in done if not row.operation.estimate.seconds]
    typical = sum(statements) / len(statements) if statements else 0.0
    seconds = 0.0
    for row in left:
        estimate = row.operation.estimate.seconds
        whole = estimate * factor if estimate else typical
        spent = (now - row.started_at).total_seconds() if row.status == "running" and row.started_at else 0.0
        seconds += max(0.0, whole - max(0.0, spent))
    return seconds
