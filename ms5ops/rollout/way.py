"""What a rollback will do, what does not come back and what stands in its way: all known before it starts."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ms5ops.database import Database, Session
from ms5ops.errors import RolloutError
from ms5ops.queries import ANY_VERSION, query
from ms5ops.rollout import journal, pieces
from ms5ops.rollout.conditions import Conditions
from ms5ops.rollout.conversion_back import is_conversion, is_converted, obstacles
from ms5ops.rollout.journal import Deployment, OperationRow
from ms5ops.rollout.running import try_holds
from ms5ops.rollout.sql_text import split
from ms5ops.units import bytes_text

_DISABLES = re.compile(
    r"ALTER\s+(?:TABLE|MATERIALIZED\s+VIEW)\s+(?P<table>(?:\"[^\"]+\"|\w+)\.(?:\"[^\"]+\"|\w+))\s+SET\s*\("
    r"[^)]*timescaledb\.(?:compress|enable_columnstore)\s*=\s*'?false",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Way:
    """What a rollback will do, known before it starts. ``undone`` in the order of undoing.

    ``kept`` are conversions that stay. ``losses``: what does not come back, with the reason (needs a confirmation of
    its own); ``obstacles``: why tables cannot be made plain again (nothing is begun then); ``changed``: what someone
    changed by hand since (needs ``force``); ``needed_bytes``: disk for decompressing, ``free_bytes``: what the server's
    disk has (None: cannot be seen).
    """

    deployment: Deployment
    undone: tuple[OperationRow, ...]
    kept: tuple[OperationRow, ...]
    losses: tuple[str, ...]
    changed: tuple[str, ...]
    needed_bytes: int
    free_bytes: int | None
    obstacles: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether all but ``kept`` is taken back, so that the state must be the captured one again."""
        return all(
            not has_effect(row) or row in self.undone or row in self.kept
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
        return way_of(database, session, deployment, conditions, phases=phases, conversions=conversions)


def way_of(
    database: Database,
    session: Session,
    deployment: Deployment,
    conditions: Conditions,
    *,
    phases: Sequence[int] | None,
    conversions: bool,
) -> Way:
    """As ``find_way``, in a session that is open already."""
    rows = journal.operations(session, deployment.id)
    begun = [row for row in rows if row.status in ("running", "done", "failed", "undoing") and has_effect(row)]
    chosen = [row for row in begun if is_of(row, phases)]
    kept = [row for row in chosen if is_conversion(row) and not conversions and is_converted(session, row)]
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
                one["chunk"]: one["extra_bytes"] for row in undone for one in to_decompress(session, deployment, row)
            }.values()
        ),
        free_bytes=conditions.free_bytes(),
        obstacles=tuple(
            obstacles(database, session, deployment, undone, limits=conditions.limits, embedded=conditions.embedded)
        ),
        _rows=rows,
    )


def has_effect(row: OperationRow) -> bool:
    """A transactional operation that is not done has changed nothing."""
    if row.status in ("done", "undoing"):
        return True
    return row.operation.steps is not None or not row.operation.transactional


def is_of(row: OperationRow, phases: Sequence[int] | None) -> bool:
    """Whether the operation belongs to one of the phases (None: to all)."""
    return phases is None or row.operation.phase in phases


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
    schema, table = split(row.operation.target)
    found = _rows(session, "retention_runs", schema=schema, table=table)
    return bool(found) and not any(one["total_runs"] for one in found)


def _changed(session: Session, undone: Sequence[OperationRow]) -> Iterator[str]:
    """What no longer is as its operation left it, although no later operation of the deployment has to do with it."""
    later: set[str] = set()
    for row in undone:
        if row.operation.target not in later and (found := changed_by_hand(session, row)):
            yield found
        later.add(row.operation.target)


def changed_by_hand(session: Session, row: OperationRow) -> str | None:
    if row.status != "done" or row.operation.steps is not None or row.operation.inverse.impossible:
        return None  # not whole, or its verification tells of data, which change by themselves
    same, found = try_holds(session, row.operation.verification)
    if same:
        return None
    return f"{row.operation.target}: {row.operation.title} (the server now gives {found!r})"


def to_decompress(session: Session, deployment: Deployment, row: OperationRow) -> list[dict[str, Any]]:
    """The chunks that undoing this operation has to decompress: those it compressed, or all where it disables."""
    operation = row.operation
    if operation.steps is not None and operation.steps.kind == "compress":
        schema, table = split(operation.steps.parameters["hypertable"])
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


def refuse(way: Way, accept_loss: bool, force: bool) -> None:
    """RolloutError where the rollback may not begin like this."""
    if way.obstacles:
        raise RolloutError(
            f"Nothing was taken back: {'; '.join(way.obstacles)}.",
            "Remove what is named, or leave the tables hypertables (without --conversions).",
        )
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


def _rows(session: Session, name: str, **parameters: object) -> list[dict[str, Any]]:
    return session.rows(query(pieces.FOLDER, name, ANY_VERSION).sql, parameters)
