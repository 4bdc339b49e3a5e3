"""How a run ends: done, paused, given up, failed, or with its connection lost; each written to the journal."""

from dataclasses import dataclass
from itertools import dropwhile
from uuid import UUID

from ms5ops.database import Database, Session
from ms5ops.errors import ConnectionLost, Ms5opsError, ServerError
from ms5ops.rollout import journal
from ms5ops.rollout.conditions import Conditions
from ms5ops.rollout.journal import Direction, OperationRow, Status
from ms5ops.rollout.running import Paused, Run


@dataclass(frozen=True)
class Outcome:
    """How a run ended. Keys in the plan's order, no advice: ``done`` (or undone), ``left``, the one that ``failed``.

    ``reason`` says why it stopped before the end. ``advice`` are keys of unmet advice, ``warnings`` what the journal
    noted as such; of a way back, since it was first begun: what applying warned of is gone with what it brought.
    """

    deployment: UUID
    number: int
    direction: Direction
    status: Status
    done: tuple[str, ...]
    left: tuple[str, ...]
    failed: str | None = None
    reason: str | None = None
    advice: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def next_step(self) -> str:
        """What can be done now, with the command."""
        if self.status in ("done", "rolled back"):
            return ""
        again = "rollback" if self.direction == "rollback" else "apply --resume"
        if self.status == "cancelled":
            return f"What is done stays; python -m ms5ops rollback {self.number} takes it back."
        if again == "rollback":
            return f"Go on with: python -m ms5ops rollback {self.number}"
        return (
            f"Go on with: python -m ms5ops apply --resume; take it back with: python -m ms5ops rollback {self.number}"
        )


def outcome(session: Session, deployment: UUID, direction: Direction = "apply", reason: str | None = None) -> Outcome:
    """The outcome as the journal tells it."""
    found = journal.deployment(session, deployment)
    rows = journal.operations(session, deployment)
    finished = ("undone",) if direction == "rollback" else ("done", "skipped")
    skipped = () if direction == "apply" else ("pending", "skipped")
    counted = [row for row in rows if row.status not in skipped and not row.operation.advice]
    events = iter(journal.events(session, deployment))
    if direction == "rollback":
        events = dropwhile(lambda one: not one.message.startswith(journal.ROLLING_BACK), events)
    return Outcome(
        deployment=deployment,
        number=found.number,
        direction=direction,
        status=found.status,
        done=tuple(row.operation.key for row in counted if row.status in finished),
        left=tuple(row.operation.key for row in counted if row.status not in finished),
        failed=next((row.operation.key for row in rows if row.status == "failed" or row.error), None),
        reason=reason,
        advice=tuple(row.operation.key for row in rows if row.progress.get("satisfied") is False),
        warnings=tuple(one.message for one in events if one.level == "warning"),
    )


def paused(run: Run, row: OperationRow | None, pause: Paused, direction: Direction = "apply") -> Outcome:
    """It stopped in good order: say so in the journal."""

    def write() -> None:
        if row is not None and row.operation.transactional and row.operation.steps is None:
            run.journal.ended(row, "pending")  # its transaction was rolled back, or never began
        run.journal.status(
            "cancelled" if pause.cancelled else "paused", direction, pause.reason, finished=pause.cancelled
        )
        run.journal.event(f"{'Given up' if pause.cancelled else 'Paused'}: {pause.reason}")

    run.note(write)
    return outcome(run.session, run.journal.deployment, direction, pause.reason)


def failed(run: Run, row: OperationRow | None, error: Ms5opsError, direction: Direction = "apply") -> Outcome:
    """An operation failed: say so in the journal."""

    def write() -> None:
        if row is not None:
            run.journal.ended(row, "failed" if direction == "apply" else "undoing", error.happened)
        run.journal.status("failed", direction, error.happened)
        run.journal.event(str(error), "error", row.operation.key if row else None)

    run.note(write)
    return outcome(run.session, run.journal.deployment, direction, str(error))


def failed_elsewhere(
    database: Database,
    conditions: Conditions,
    lost: Run,
    row: OperationRow | None,
    error: ConnectionLost,
    *,
    direction: Direction = "apply",
) -> Outcome:
    """The connection broke: write that down through another one; where there is none, the error says how to go on."""
    deployment = lost.journal.deployment
    try:
        with database.session() as session:
            run = conditions.run(database, session, lost.lease, deployment, lost.total)

            def write() -> None:
                run.journal.status("failed", direction, error.happened)
                run.journal.event(error.happened, "error", row.operation.key if row else None)

            run.note(write)
            return outcome(session, deployment, direction, error.happened)
    except ServerError as second:
        raise ConnectionLost(
            f"{error.happened} What was committed is kept.",
            "When the server answers again: apply --resume, or rollback.",
        ) from second
