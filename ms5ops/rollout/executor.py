"""Apply a plan: operation by operation, each verified, each journalled in the database that it changes.

A transactional operation is one transaction: fence, statements, verification, journal. Any other is journalled before
and after, and verified first when it is met again. So a run that ends at any point, however it ends, is completed by
``resume`` or taken back by ``ms5ops.rollout.rollback``.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from uuid import UUID, uuid4

from ms5ops.database import Database, Session
from ms5ops.errors import ConnectionLost, LeaseLost, Ms5opsError, RolloutError
from ms5ops.rollout import ends, journal, lease, outside, pieces
from ms5ops.rollout.conditions import Conditions
from ms5ops.rollout.ends import Outcome
from ms5ops.rollout.journal import Deployment, Journal, OperationRow, PlanLike
from ms5ops.rollout.running import Paused, Run, try_holds, verify


def apply(
    database: Database,
    plan: PlanLike,
    conditions: Conditions,
    *,
    server_versions: Mapping[str, str],
    before_state: object = None,
    note: str | None = None,
    confirm_fresh: Callable[[], None] = lambda: None,
    entering: Callable[[], AbstractContextManager[None]] = nullcontext,
    identity: UUID | None = None,
) -> Outcome:
    """Apply a plan as a new deployment, with that id (None: a new one). ``database`` is of access "write".

    ``confirm_fresh`` is called once nobody else can change the database through ms5ops, and raises where the state is
    no longer the plan's; the journal's first entry is made in the block of ``entering``. ``note`` is kept (a
    decision to go without a backup, outside the window). Raises LeaseTaken while another process is at work,
    RolloutError where an earlier deployment is open; a failing operation does not raise: the outcome says so.
    """
    with database.session() as session:
        journal.prepare(session)
        identity = identity or uuid4()
        with lease.held(
            database, session, identity, conditions.who, conditions.limits, embedded=conditions.embedded
        ) as held:
            _refuse_open(journal.deployments(session, 1))
            confirm_fresh()
            with entering():
                journal.begin(
                    session,
                    plan,
                    conditions.who,
                    identity=identity,
                    environment=conditions.environment,
                    server_versions=server_versions,
                    before_state=before_state,
                    note=note,
                    fence=held.fence,
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
            Journal(session, deployment.id, conditions.who).event(f"{journal.RESUMED} {note or ''}".strip())
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
        if conditions.witnessed:
            run.journal.event(conditions.witnessed)
    at_work: OperationRow | None = None
    try:
        for at_work in rows:
            if at_work.status not in ("done", "skipped"):
                run.check()
                _one(run, at_work)
    except Paused as pause:
        conditions.stop.settle()
        return ends.paused(run, at_work, pause)
    except LeaseLost:
        raise
    except ConnectionLost as error:
        return ends.failed_elsewhere(database, conditions, run, at_work, error)
    except Ms5opsError as error:
        return ends.failed(run, at_work, error)
    finally:
        conditions.stop.settle()
        conditions.stop.watch(None)
    run.note(lambda: _closed(run))
    return ends.outcome(session, deployment)


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
    verify(run.session, row.operation)
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
        how = "it is not so yet" if satisfied is False else f"whether it is so cannot be told: {found.rstrip('.')}"
        run.journal.event(f"For the administrator: {row.operation.title} ({how}).", "info", row.operation.key)


def _closed(run: Run) -> None:
    run.journal.status("done", finished=True)
    run.journal.event("Done.")
