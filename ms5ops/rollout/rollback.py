"""Take a deployment back: its operations in reverse order, each by its inverse, under the same fence and journal.

What cannot come back is named before anything starts. What someone changed by hand since is not overwritten unless
asked for. When all is undone, the state is read again and compared with the captured one.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ms5ops.database import Database, Session
from ms5ops.errors import ConnectionLost, LeaseLost, Ms5opsError, RolloutError, VerificationFailed
from ms5ops.queries import ANY_VERSION, query
from ms5ops.rollout import ends, journal, lease, outside, pieces
from ms5ops.rollout.conditions import Conditions
from ms5ops.rollout.ends import Outcome
from ms5ops.rollout.journal import Deployment, OperationRow
from ms5ops.rollout.records import State
from ms5ops.rollout.restored import Comparison
from ms5ops.rollout.running import Paused, Run, holds, try_holds
from ms5ops.units import bytes_text

_DISABLES = re.compile(
    r"ALTER\s+(?:TABLE|MATERIALIZED\s+VIEW)\s+(?P<table>(?:\"[^\"]+\"|\w+)\.(?:\"[^\"]+\"|\w+))\s+SET\s*\("
    r"[^)]*timescaledb\.(?:compress|enable_columnstore)\s*=\s*'?false",
    re.IGNORECASE,
)
DIFFERENCES_NAMED = 8


@dataclass(frozen=True)
class Way:
    """What a rollback will do, known before it starts. ``undone`` in the order of undoing.

    ``kept`` are conversions that stay. ``losses``: what does not come back, with the reason (needs a confirmation of
    its own); ``changed``: what someone changed by hand since (needs ``force``); ``needed_bytes``: disk for
    decompressing, ``free_bytes``: what the server's disk has (None: cannot be seen).
    """

    deployment: Deployment
    undone: tuple[OperationRow, ...]
    kept: tuple[OperationRow, ...]
    losses: tuple[str, ...]
    changed: tuple[str, ...]
    needed_bytes: int
    free_bytes: int | None

    @property
    def is_whole(self) -> bool:
        """Whether all but ``kept`` is taken back, so that the state must be the captured one again."""
        return all(
            not _has_effect(row) or row in self.undone or row in self.kept
            for row in self._rows
            if row.status not in ("pending", "skipped", "undone")
        )

    @property
    def restores_all(self) -> bool:
        """Whether the captured state comes back, but for conversions that are kept."""
        return self.is_whole and not any(row.operation.inverse.impossible for row in self.undone)

    _rows: tuple[OperationRow, ...] = ()


def find_way(
    database: Database,
    deployment: Deployment,
    conditions: Conditions,
    *,
    phases: Sequence[int] | None = None,
    conversions: bool = False,
) -> Way:
    """What ``rollback`` would do; changes nothing. RolloutError where nothing of the deployment is left to undo.

    Of ``phases`` alone, refused where an operation that stays needs one of them. ``conversions``: also make plain
    tables of what was converted.
    """
    with database.session() as session:
        return _find_way(session, deployment, conditions, phases, conversions)


def rollback(
    database: Database,
    deployment: Deployment,
    conditions: Conditions,
    *,
    phases: Sequence[int] | None = None,
    conversions: bool = False,
    accept_loss: bool = False,
    force: bool = False,
    compare: Comparison | None = None,
    note: str | None = None,
) -> Outcome:
    """Take a deployment back, or go on with doing so. Operations that cannot come back stay done where accepted.

    Raises LeaseTaken while another process is at work, and RolloutError before any change where something would be
    lost without ``accept_loss``, was changed by hand without ``force``, or does not fit on the disk. A failing
    inverse, or a state that differs afterwards, does not raise: the outcome says so.

    With ``compare`` the state is read again when all is undone: a whole deployment must give the captured state; where
    a part of it was taken back, that part must, and nothing else may have changed since the beginning.
    """
    with (
        database.session() as session,
        lease.held(
            database, session, deployment.id, conditions.who, conditions.limits, embedded=conditions.embedded
        ) as held,
    ):
        way = _find_way(session, deployment, conditions, phases, conversions)
        _refuse(way, accept_loss, force)
        start = compare.read_state() if compare is not None and not way.restores_all else None
        run = conditions.run(database, session, held, deployment.id, len(way.undone))
        with session.transaction():
            held.fence(session)
            run.journal.take_requests()
            run.journal.status("running", "rollback")
            run.journal.event(f"Rolling back {len(way.undone)} operations. {note or ''}".strip())
        at_work: OperationRow | None = None
        try:
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


# The way ----------------------------------------------------------------------------------------------------


def _find_way(
    session: Session,
    deployment: Deployment,
    conditions: Conditions,
    phases: Sequence[int] | None,
    conversions: bool,
) -> Way:
    rows = journal.operations(session, deployment.id)
    begun = [row for row in rows if row.status in ("running", "done", "failed", "undoing") and _has_effect(row)]
    chosen = [row for row in begun if _is_of(row, phases)]
    kept = [row for row in chosen if _is_conversion(row) and not conversions and _is_converted(session, row)]
    undone = [row for row in reversed(chosen) if row not in kept]
    if not undone:
        raise RolloutError(
            f"Nothing of {deployment.name} is left to take back"
            + (f" in phase {', '.join(map(str, phases))}." if phases else "."),
            "python -m ms5ops deployments lists what was applied.",
        )
    _refuse_needed([row for row in begun if row not in undone], undone)
    return Way(
        deployment=deployment,
        undone=tuple(undone),
        kept=tuple(kept),
        losses=tuple(_losses(session, undone)),
        changed=tuple(_changed(session, undone)),
        needed_bytes=sum(
            {
                one["chunk"]: one["extra_bytes"] for row in undone for one in _to_decompress(session, deployment, row)
            }.values()
        ),
        free_bytes=conditions.free_bytes(),
        _rows=rows,
    )


def _has_effect(row: OperationRow) -> bool:
    """A transactional operation that is not done has changed nothing."""
    if row.status in ("done", "undoing"):
        return True
    return row.operation.steps is not None or not row.operation.transactional


def _is_conversion(row: OperationRow) -> bool:
    return row.operation.steps is not None and row.operation.steps.kind == "convert"


def _is_converted(session: Session, row: OperationRow) -> bool:
    return holds(session, row.operation.verification)


def _refuse_needed(staying: Sequence[OperationRow], undone: Sequence[OperationRow]) -> None:
    keys = {row.operation.key for row in undone}
    for row in staying:
        needed = [key for key in row.operation.requires if key in keys]
        if needed:
            raise RolloutError(
                f"{row.operation.title} (phase {row.operation.phase}) needs {', '.join(needed)}, and would stay.",
                f"Take back phase {row.operation.phase} as well.",
            )


def _losses(session: Session, undone: Sequence[OperationRow]) -> Iterator[str]:
    for row in undone:
        operation = row.operation
        if operation.inverse.impossible:
            yield f"{operation.title} stays: {operation.inverse.impossible}"
        if operation.destroys and _has_not_run(session, row):
            continue
        if operation.destroys and row.status != "failed":
            yield f"{operation.title}: gone for good: {operation.destroys}"
        elif operation.inverse.loses:
            yield f"Undoing “{operation.title}” loses: {operation.inverse.loses}"


def _has_not_run(session: Session, row: OperationRow) -> bool:
    """Whether the operation made a retention policy that has never run, so that nothing is gone."""
    if row.operation.kind not in ("add_job", "alter_job") or row.operation.before is not None:
        return False
    schema, _, table = row.operation.target.partition(".")
    found = _rows(session, "retention_runs", schema=schema, table=table)
    return bool(found) and not any(one["total_runs"] for one in found)


def _changed(session: Session, undone: Sequence[OperationRow]) -> Iterator[str]:
    """What no longer is as its operation left it, although no later operation of the deployment has to do with it."""
    later: set[str] = set()
    for row in undone:
        if row.operation.target not in later and (found := _changed_by_hand(session, row)):
            yield found
        later.add(row.operation.target)


def _changed_by_hand(session: Session, row: OperationRow) -> str | None:
    if row.status != "done" or row.operation.steps is not None or row.operation.inverse.impossible:
        return None  # not whole, or its verification tells of data, which change by themselves
    same, found = try_holds(session, row.operation.verification)
    if same:
        return None
    return f"{row.operation.target}: {row.operation.title} (the server now gives {found!r})"


def _to_decompress(session: Session, deployment: Deployment, row: OperationRow) -> list[dict[str, Any]]:
    """The chunks that undoing this operation has to decompress: those it compressed, or all where it disables."""
    operation = row.operation
    if operation.steps is not None and operation.steps.kind == "compress":
        schema, table = operation.steps.parameters["hypertable"].split(".")
        own = set(journal.pieces(session, deployment.id, row.ordinal))
        return [one for one in _compressed(session, schema, table) if one["chunk"] in own]
    if row.status == "undone":
        return []
    for statement in operation.inverse.statements:
        if match := _DISABLES.search(statement):
            found = _rows(session, "hypertable_named", table=match["table"])
            return [chunk for one in found for chunk in _compressed(session, one["schema_name"], one["table_name"])]
    return []


def _compressed(session: Session, schema: str, table: str) -> list[dict[str, Any]]:
    return _rows(session, "compressed_chunks", schema=schema, table=table)


def _refuse(way: Way, accept_loss: bool, force: bool) -> None:
    if way.losses and not accept_loss:
        raise RolloutError(
            f"Not everything comes back: {'; '.join(way.losses)}.", "Confirm that with --accept-loss, or leave it."
        )
    if way.changed and not force:
        raise RolloutError(
            f"Someone changed by hand, since it was applied: {'; '.join(way.changed)}.",
            "Look at it first; --force takes it back all the same.",
        )
    if way.free_bytes is not None and way.needed_bytes > way.free_bytes:
        raise RolloutError(
            f"Decompressing needs {bytes_text(way.needed_bytes)}, and the server's disk has "
            f"{bytes_text(way.free_bytes)} free.",
            "Make room first.",
        )


# Undoing ----------------------------------------------------------------------------------------------------


def _undo(run: Run, row: OperationRow, number: int, force: bool) -> None:
    run.begin_operation()
    run.tell(row, 0.0, f"{number} of {run.total}: undoing {row.operation.title}")
    inverse = row.operation.inverse
    if inverse.impossible:
        run.note(lambda: _stays(run, row))
        return
    changed = None if force else _changed_by_hand(run.session, row)
    if changed:
        raise RolloutError(f"Someone changed by hand: {changed}.", "Look at it first; --force takes it back anyway.")
    met_again = row.status == "undoing"
    run.note(lambda: run.journal.undone(row, "undoing"))
    decompressing = _to_decompress(run.session, journal.deployment(run.session, run.journal.deployment), row)
    run.room_for(sum(one["extra_bytes"] for one in decompressing), "decompressing")
    pieces.decompress(run, row, decompressing)
    if _is_conversion(row) and not _is_converted(run.session, row):
        pieces.abandon(run, row)
        run.note(lambda: run.journal.undone(row, "undone"))
    elif _is_conversion(row) and _online(run, row):
        _reverse(run, row)
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


def _online(run: Run, row: OperationRow) -> bool:
    """Whether the table is too large to be made plain again under one lock, or that was begun online."""
    steps = row.operation.steps
    assert steps is not None  # noqa: S101  # it is a conversion
    table = steps.parameters["table"]
    size_bytes = _rows(run.session, "table_bytes", table=table)[0]["size_bytes"]
    return bool(size_bytes > run.limits.small_table_bytes) or pieces.conversion_begun(run, table)


def _reverse(run: Run, row: OperationRow) -> None:
    """Online, with the primary key and the nullable time column of the captured state."""
    steps = row.operation.steps
    assert steps is not None  # noqa: S101  # it is a conversion
    table, column = steps.parameters["table"], steps.parameters["time_column"]
    _, before = journal.documents(run.session, run.journal.deployment)
    captured = next((one for one in (before or {}).get("tables", ()) if one["name"] == table), None)
    if captured is None:
        raise RolloutError(f"The captured state has no table {table}.", "Make it plain by hand.")
    nullable = any(one["name"] == column and not one["not_null"] for one in captured["columns"])
    pieces.reverse(
        run,
        row,
        {
            "table": table,
            "time_column": column,
            "primary_key": row.operation.before["primary_key"],
            "time_nullable": nullable,
        },
    )
    run.note(lambda: run.journal.undone(row, "undone"))


def _stays(run: Run, row: OperationRow) -> None:
    run.journal.event(f"Stays: {row.operation.inverse.impossible}", "warning", row.operation.key)


def _compare(run: Run, way: Way, compare: Comparison, start: State | None, phases: Sequence[int] | None) -> None:
    """VerificationFailed where what was taken back is not as captured, or anything else has changed meanwhile."""
    _, before = journal.documents(run.session, way.deployment.id)
    kept = {row.operation.target for row in way.kept}
    if start is None:
        found = compare.whole(before, kept)
        stay = f", but for {', '.join(sorted(kept))}, which stay hypertables" if kept else ""
        same = f"Read again: the state is the one from before{stay}."
    else:
        rows = journal.operations(run.session, way.deployment.id)  # with what an earlier run of this rollback undid
        undone = [row.operation for row in rows if row.status == "undone" and _is_of(row, phases)]
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


def _is_of(row: OperationRow, phases: Sequence[int] | None) -> bool:
    return phases is None or row.operation.phase in phases


def _closed(run: Run, way: Way) -> None:
    left = [
        row
        for row in journal.operations(run.session, run.journal.deployment)
        if row.status in ("done", "running", "failed", "undoing") and _has_effect(row) and row not in way.kept
    ]
    left = [row for row in left if not _is_conversion(row) and not row.operation.inverse.impossible]
    if left:
        run.journal.status("done", note="Partly rolled back.", finished=True)
        run.journal.event(f"Rolled back {len(way.undone)} operations; {len(left)} stay.")
    else:
        run.journal.status("rolled back", "rollback", finished=True)
        run.journal.event("Rolled back.")


def _rows(session: Session, name: str, **parameters: object) -> list[dict[str, Any]]:
    return session.rows(query(pieces.FOLDER, name, ANY_VERSION).sql, parameters)
