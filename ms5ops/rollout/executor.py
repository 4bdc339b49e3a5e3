"""Apply a plan: operation by operation, each verified, each journalled in the database that it changes.

A transactional operation is one transaction: fence, statements, verification, journal. Any other is journalled before
and after, and verified first when it is met again. So a run that ends at any point, however it ends, is completed by
``resume`` or taken back by ``ms5ops.rollout.rollback``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

from ms5ops.database import Database, Session
from ms5ops.errors import ConnectionLost, LeaseLost, Ms5opsError, RolloutError, ServerError
from ms5ops.rollout import journal, lease, outside, pieces
from ms5ops.rollout.journal import Deployment, Direction, Journal, OperationRow, PlanLike, Status, Who
from ms5ops.rollout.limits import Limits
from ms5ops.rollout.running import Paused, Report, Run, Stop, Window, try_holds, verify


@dataclass(frozen=True)
class Outcome:
    """How a run ended. Keys in the plan's order: ``done`` (or undone), ``left``, and the one that ``failed``.

    ``reason`` says why it stopped before the end. ``advice`` are keys of unmet advice, ``warnings`` what the journal
    noted as such.
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


@dataclass(frozen=True)
class Conditions:
    """Under what a run works: who, where, its limits, and what may stop it.

    ``window`` says whether work may run at an instant (None: always). ``free_bytes`` is the free space of the server's
    disk, None where it cannot be seen. ``warn`` is told what should not wait for the report.
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

    def run(self, database: Database, session: Session, held: lease.Lease, deployment: UUID, total: int) -> Run:
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
            open_session=database.session,
            window=self.window,
            clock=self.clock,
            free_bytes=self.free_bytes,
        )


def apply(
    database: Database,
    plan: PlanLike,
    conditions: Conditions,
    *,
    server_versions: Mapping[str, str],
    before_state: object = None,
    note: str | None = None,
    confirm_fresh: Callable[[], None] = lambda: None,
) -> Outcome:
    """Apply a plan as a new deployment. ``database`` is of access "write".

    ``confirm_fresh`` is called once nobody else can change the database through ms5ops, and raises where the state is
    no longer the plan's. ``note`` is kept (a decision to go without a backup, outside the window). Raises LeaseTaken
    while another process is at work, RolloutError where an earlier deployment is open; a failing operation does not
    raise: the outcome says so.
    """
    with database.session() as session:
        journal.prepare(session)
        identity = uuid4()
        with lease.held(
            database, session, identity, conditions.who, conditions.limits, embedded=conditions.embedded
        ) as held:
            _refuse_open(journal.deployments(session, 1))
            confirm_fresh()
            journal.begin(
                session,
                plan,
                conditions.who,
                identity=identity,
                environment=conditions.environment,
                server_versions=server_versions,
                before_state=before_state,
                note=note,
            )
            return _run(database, session, held, identity, conditions)


def resume(database: Database, conditions: Conditions, deployment: Deployment, note: str | None = None) -> Outcome:
    """Go on with a deployment that was paused, failed, or whose process died; errors as of ``apply``."""
    if not deployment.is_open:
        raise RolloutError(
            f"{deployment.name.capitalize()} is {deployment.status}: there is nothing to go on with.",
            "python -m ms5ops plan shows what is left to do.",
        )
    if deployment.direction == "rollback":
        raise RolloutError(
            f"{deployment.name.capitalize()} is being rolled back.",
            f"Finish that first: python -m ms5ops rollback {deployment.number}",
        )
    with database.session() as session:
        journal.prepare(session)
        with lease.held(
            database, session, deployment.id, conditions.who, conditions.limits, embedded=conditions.embedded
        ) as held:
            Journal(session, deployment.id, conditions.who).event(f"Resumed. {note or ''}".strip())
            return _run(database, session, held, deployment.id, conditions)


def give_up(database: Database, conditions: Conditions, deployment: Deployment) -> bool:
    """Cancel a deployment: at once where nobody works on it (True), else by a request that its process obeys."""
    with database.session() as session:
        found = lease.holder(session)
        if found and found["age_seconds"] <= conditions.limits.stale_after_s:
            journal.ask(session, deployment.id, "cancel", conditions.who)
            return False
        with (
            lease.held(
                database, session, deployment.id, conditions.who, conditions.limits, embedded=conditions.embedded
            ) as held,
            session.transaction(),
        ):
            held.fence(session)
            Journal(session, deployment.id, conditions.who).status("cancelled", deployment.direction, finished=True)
            Journal(session, deployment.id, conditions.who).event("Given up; what was done stays.")
        return True


def _refuse_open(last: Sequence[Deployment]) -> None:
    if last and last[0].is_open:
        one = last[0]
        raise RolloutError(
            f"{one.name.capitalize()} of {one.actor} is {one.status} with {one.done} of {one.operations} operations "
            "done.",
            f"Go on with it (apply --resume), take it back (rollback {one.number}), or give it up (deployments "
            f"--cancel {one.number}).",
        )


def _run(database: Database, session: Session, held: lease.Lease, deployment: UUID, conditions: Conditions) -> Outcome:
    rows = journal.operations(session, deployment)
    run = conditions.run(database, session, held, deployment, len(rows))
    with session.transaction():
        held.fence(session)
        run.journal.take_requests()  # what was asked of a run that is over
        run.journal.status("running")
    at_work: OperationRow | None = None
    try:
        for at_work in rows:
            if at_work.status not in ("done", "skipped"):
                run.check()
                _one(run, at_work)
    except Paused as pause:
        conditions.stop.settle()
        return _paused(run, at_work, pause)
    except LeaseLost:
        raise
    except ConnectionLost as error:
        return _failed_elsewhere(database, conditions, run, at_work, error)
    except Ms5opsError as error:
        return _failed(run, at_work, error)
    finally:
        conditions.stop.settle()
        conditions.stop.watch(None)
    run.note(lambda: _closed(run))
    return outcome(session, deployment)


def outcome(session: Session, deployment: UUID, direction: Direction = "apply", reason: str | None = None) -> Outcome:
    """The outcome as the journal tells it."""
    found = journal.deployment(session, deployment)
    rows = journal.operations(session, deployment)
    finished = ("undone",) if direction == "rollback" else ("done", "skipped")
    counted = rows if direction == "apply" else [row for row in rows if row.status not in ("pending", "skipped")]
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
        warnings=tuple(one.message for one in journal.events(session, deployment) if one.level == "warning"),
    )


# One operation ----------------------------------------------------------------------------------------------


def _one(run: Run, row: OperationRow) -> None:
    operation = row.operation
    run.begin_operation()
    run.tell(row, 0.0, operation.title)
    if operation.advice:
        satisfied, found = try_holds(run.session, operation.verification)
        run.note(lambda: _advised(run, row, satisfied, found))
        run.tell(row, 1.0, "as advised" if satisfied else "advice for the administrator")
        return
    _require(run, row)
    met_again = row.status in ("running", "failed")
    run.note(lambda: run.journal.started(row))
    if operation.steps is not None:
        pieces.run_pieces(run, row, met_again=met_again)
        run.finish(row)
    elif operation.transactional:
        run.change(row, operation.statements_for(embedded=run.embedded), lambda: _proved(run, row))
    else:
        outside.apply(run, row, met_again=met_again)
    run.tell(row, 1.0, "done")


def _proved(run: Run, row: OperationRow) -> None:
    verify(run.session, row)
    run.done(row)


def _require(run: Run, row: OperationRow) -> None:
    known = journal.statuses(run.session, run.journal.deployment)
    missing = [key for key in row.operation.requires if known.get(key, "done") not in ("done", "skipped")]
    if missing:
        raise RolloutError(
            f"{row.operation.title} needs {', '.join(missing)} done before it, and that is not.", "Make the plan anew."
        )


def _advised(run: Run, row: OperationRow, satisfied: bool | None, found: str) -> None:
    run.journal.progress(row, satisfied=satisfied, found=found)
    run.journal.ended(row, "skipped")
    if not satisfied:
        run.journal.event(f"For the administrator: {row.operation.title} (found: {found}).", "info", row.operation.key)


# Ends -------------------------------------------------------------------------------------------------------


def _closed(run: Run) -> None:
    run.journal.status("done", finished=True)
    run.journal.event("Done.")


def _paused(run: Run, row: OperationRow | None, pause: Paused) -> Outcome:
    def write() -> None:
        if row is not None and row.operation.transactional and row.operation.steps is None:
            run.journal.ended(row, "pending")  # its transaction was rolled back, or never began
        run.journal.status("cancelled" if pause.cancelled else "paused", note=pause.reason, finished=pause.cancelled)
        run.journal.event(f"{'Given up' if pause.cancelled else 'Paused'}: {pause.reason}")

    run.note(write)
    return outcome(run.session, run.journal.deployment, reason=pause.reason)


def _failed(run: Run, row: OperationRow | None, error: Ms5opsError) -> Outcome:
    def write() -> None:
        if row is not None:
            run.journal.ended(row, "failed", error.happened)
        run.journal.status("failed", note=error.happened)
        run.journal.event(str(error), "error", row.operation.key if row else None)

    run.note(write)
    return outcome(run.session, run.journal.deployment, reason=str(error))


def _failed_elsewhere(
    database: Database, conditions: Conditions, lost: Run, row: OperationRow | None, error: ConnectionLost
) -> Outcome:
    """The connection broke: write that down through another one; where there is none, the error says how to go on."""
    deployment = lost.journal.deployment
    try:
        with database.session() as session:
            run = conditions.run(database, session, lost.lease, deployment, lost.total)

            def write() -> None:
                run.journal.status("failed", note=error.happened)
                run.journal.event(error.happened, "error", row.operation.key if row else None)

            run.note(write)
            return outcome(session, deployment, reason=error.happened)
    except ServerError as second:
        raise ConnectionLost(
            f"{error.happened} What was committed is kept.",
            "When the server answers again: apply --resume, or rollback.",
        ) from second
