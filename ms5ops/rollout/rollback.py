"""Take a deployment back: its operations in reverse order, each by its inverse, under the same fence and journal.

What cannot come back is named before anything starts. What someone changed by hand since is not overwritten unless
asked for. When all is undone, the state is read again and compared with the captured one.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from ms5ops.database import Database
from ms5ops.errors import ConnectionLost, LeaseLost, Ms5opsError, RolloutError, VerificationFailed
from ms5ops.rollout import conversion_back, ends, journal, lease, outside, pieces
from ms5ops.rollout.conditions import Conditions
from ms5ops.rollout.conversion_back import is_conversion
from ms5ops.rollout.ends import Outcome
from ms5ops.rollout.journal import Deployment, OperationRow
from ms5ops.rollout.records import State
from ms5ops.rollout.restored import Comparison
from ms5ops.rollout.running import Paused, Run, try_holds
from ms5ops.rollout.way import Way, changed_by_hand, find_way, has_effect, is_of, refuse, to_decompress, way_of

__all__ = ["Way", "find_way", "rollback"]

DIFFERENCES_NAMED = 8


def rollback(
    database: Database,
    deployment: Deployment,
    conditions: Conditions,
    *,
    phases: Sequence[int] | None = None,
    conversions: bool = False,
    accept_loss: bool = False,
    force: bool = False,
    entering: Callable[[Way], AbstractContextManager[None]] = lambda _way: nullcontext(),
    compare: Comparison | None = None,
    note: str | None = None,
) -> Outcome:
    """Take a deployment back, or go on with doing so. Operations that cannot come back stay done where accepted.

    Raises LeaseTaken while another process is at work, and RolloutError before any change where something would be
    lost without ``accept_loss``, was changed by hand without ``force``, or does not fit on the disk. A failing
    inverse, or a state that differs afterwards, does not raise: the outcome says so.

    ``entering`` is given the way back as it is now that nobody else can change it, and may raise; its block enters the
    beginning in the journal.

    With ``compare`` the state is read again when all is undone: a whole deployment must give the captured state; where
    a part of it was taken back, that part must, and nothing else may have changed since the beginning.
    """
    with (
        database.session() as session,
        lease.held(
            database, session, deployment.id, conditions.who, conditions.limits, embedded=conditions.embedded
        ) as held,
    ):
        way = way_of(database, session, deployment, conditions, phases=phases, conversions=conversions)
        refuse(way, accept_loss, force)
        start = compare.read_state() if compare is not None and not way.restores_all else None
        run = conditions.run(database, session, held, deployment.id, len(way.undone))
        with entering(way), session.transaction():
            held.fence(session)
            run.journal.take_requests()
            run.journal.status("running", "rollback")
            run.journal.event(f"{journal.ROLLING_BACK} {len(way.undone)} operations. {note or ''}".strip())
            if conditions.witnessed:
                run.journal.event(conditions.witnessed)
        at_work: OperationRow | None = None
        try:
            for at_work in way.kept:
                conversion_back.finish(run, at_work)
            for number, at_work in enumerate(way.undone, start=1):
                run.check()
                _undo(run, at_work, number, force)
            at_work = None
            if compare is not None:
                _compare(run, way, compare, start, phases)
        except Paused as pause:
            conditions.stop.settle()
            return ends.paused(run, None, pause, "rollback")
        except LeaseLost:
            raise
        except ConnectionLost as error:
            return ends.failed_elsewhere(database, conditions, run, at_work, error, direction="rollback")
        except Ms5opsError as error:
            return ends.failed(run, at_work, error, "rollback")
        finally:
            conditions.stop.settle()
            conditions.stop.watch(None)
        run.note(lambda: _closed(run, way))
        return ends.outcome(session, deployment.id, "rollback")


# Undoing ----------------------------------------------------------------------------------------------------


def _undo(run: Run, row: OperationRow, number: int, force: bool) -> None:
    run.begin_operation()
    run.tell(row, 0.0, f"{number} of {run.total}: undoing {row.operation.title}")
    inverse = row.operation.inverse
    if inverse.impossible:
        run.note(lambda: _stays(run, row))
        return
    changed = None if force else changed_by_hand(run.session, row)
    if changed:
        raise RolloutError(f"Someone changed by hand: {changed}.", "Look at it first; --force takes it back anyway.")
    met_again = row.status == "undoing"
    run.note(lambda: run.journal.undone(row, "undoing"))
    decompressing = to_decompress(run.session, journal.deployment(run.session, run.journal.deployment), row)
    run.room_for(sum(one["extra_bytes"] for one in decompressing), "decompressing")
    pieces.decompress(run, row, decompressing)
    if is_conversion(row):
        conversion_back.take_back(run, row)
    elif inverse.transactional:
        run.change(row, inverse.statements_for(embedded=run.embedded), lambda: run.journal.undone(row, "undone"))
    else:
        first = int(row.progress.get("undo_statement", 0)) if met_again else 0
        outside.run_each(run, row, inverse.statements_for(embedded=run.embedded), first, "undo_statement")
        run.note(lambda: run.journal.undone(row, "undone"))
    _prove_undone(run, row, force)
    run.tell(row, 1.0, "undone")


def _prove_undone(run: Run, row: OperationRow, force: bool) -> None:
    """VerificationFailed where the server still shows what the operation brought (data apart, which stay)."""
    operation = row.operation
    if force or operation.steps is not None or operation.inverse.loses or row.status != "done":
        return
    still, _ = try_holds(run.session, operation.verification)  # None: it cannot even be asked any more
    if still:
        raise VerificationFailed(
            f"Undoing “{operation.title}” ran, but the server still shows what it had brought.",
            f"The query was: {' '.join(operation.verification.sql.split())}",
        )


def _stays(run: Run, row: OperationRow) -> None:
    run.journal.event(f"Stays: {row.operation.inverse.impossible}", "warning", row.operation.key)


def _compare(run: Run, way: Way, compare: Comparison, start: State | None, phases: Sequence[int] | None) -> None:
    """VerificationFailed where what was taken back is not as captured, or anything else has changed meanwhile."""
    _, before = journal.documents(run.session, way.deployment.id)
    kept = {row.operation.target for row in way.kept}
    rows = journal.operations(run.session, way.deployment.id)  # with what an earlier run of this rollback undid
    undone = [row.operation for row in rows if row.status == "undone" and is_of(row, phases)]
    if start is None:
        found = compare.whole(before, kept, undone)
        stay = f", but for {', '.join(sorted(kept))}, which stay hypertables" if kept else ""
        same = f"Read again: the state is the one from before{stay}."
    else:
        found = compare.part(before, start, undone)
        same = "Read again: what was taken back is as before, and nothing else has changed."
    if not found:
        run.note(lambda: run.journal.event(same))
        return
    listed = "; ".join(found[:DIFFERENCES_NAMED])
    more = f"; and {len(found) - DIFFERENCES_NAMED} more" if len(found) > DIFFERENCES_NAMED else ""
    what = "but the state is not the one from before" if start is None else "but not all is as it should be then"
    raise VerificationFailed(
        f"All is undone, {what}: {listed}{more}.",
        "Mend it by hand or with a plan (python -m ms5ops plan).",
    )


def _closed(run: Run, way: Way) -> None:
    left = [
        row
        for row in journal.operations(run.session, run.journal.deployment)
        if row.status in ("done", "running", "failed", "undoing") and has_effect(row) and row not in way.kept
    ]
    left = [row for row in left if not is_conversion(row) and not row.operation.inverse.impossible]
    if left:
        run.journal.status("done", note="Partly rolled back.", finished=True)
        run.journal.event(f"Rolled back {len(way.undone)} operations; {len(left)} stay.")
    else:
        run.journal.status("rolled back", "rollback", finished=True)
        run.journal.event("Rolled back.")
