"""The journal: what was planned, done and undone in a database, kept in that database (schema ``ms5ops``).

Writing goes through a ``Session``, so that an operation and its journal row are committed together. Nothing is ever
deleted, and events cannot be changed (triggers). Instants are the server's.
"""

import getpass
import hashlib
import json
import os
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol
from uuid import UUID, uuid4

from ms5ops import __version__, paths
from ms5ops.database import Session
from ms5ops.errors import RolloutError
from ms5ops.queries import ANY_VERSION, query
from ms5ops.rollout.operation import Operation
from ms5ops.units import instant_text

FOLDER = "rollout/journal"
Status = Literal["planned", "running", "paused", "failed", "done", "rolled back", "cancelled"]
Direction = Literal["apply", "rollback"]
OperationStatus = Literal["pending", "running", "done", "failed", "skipped", "undoing", "undone"]
Level = Literal["info", "warning", "error"]
RequestKind = Literal["pause", "resume", "cancel"]
PLANNED, RESUMED, ROLLING_BACK = "Planned:", "Resumed.", "Rolling back"
"""How the events begin with which applying begins, goes on, and is taken back; what was noted then follows in them."""
_MIGRATION = re.compile(r"(\d{4})_\w+\.sql")
_BEGINNING = re.compile(rf"(?:{RESUMED}|(?:{PLANNED}|{ROLLING_BACK}) \d+ operations\.)\s*", re.ASCII)


class Reader(Protocol):
    """What the journal is read through: a ``Database`` or a ``Session``."""

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """The rows of one statement with ``:name`` parameters."""


class PlanLike(Protocol):
    """What is applied: operations in executable order, advice to check after them, and the hashes of its origin."""

    @property
    def operations(self) -> Sequence[Operation]: ...
    @property
    def advice(self) -> Sequence[Operation]: ...
    @property
    def state_hash(self) -> str: ...
    @property
    def policy_hash(self) -> str: ...
    def to_json(self) -> dict[str, Any]:
        """As JSON values, with lists ``operations`` and ``advice`` of what ``Operation.to_json`` gives."""


@dataclass(frozen=True)
class Who:
    """Who does it, from where: for the journal, and for whoever is refused meanwhile."""

    actor: str
    host: str
    pid: int

    @classmethod
    def here(cls, actor: str | None = None) -> "Who":
        """This process; the actor is the login name where none is given."""
        return cls(actor or getpass.getuser(), socket.gethostname(), os.getpid())


@dataclass(frozen=True)
class Deployment:
    """One plan that was applied. ``direction`` and ``status`` together say how far it is; ``note`` is the last reason.

    ``operations`` and ``done`` count, without advice. Instants are the server's. ``applied_note`` is what was noted
    when it was applied (plan, reasons, backup), whatever came after; ``back_began_at`` when a way back last began.
    """

    id: UUID
    number: int
    status: Status
    direction: Direction
    started_at: datetime
    finished_at: datetime | None
    environment: str
    actor: str
    db_role: str
    host: str
    pid: int
    tool_version: str
    server_versions: Mapping[str, str]
    plan_hash: str
    state_hash: str
    policy_hash: str
    note: str | None
    operations: int
    done: int
    applied_note: str | None = None
    back_began_at: datetime | None = None
    back_note: str | None = None

    @property
    def name(self) -> str:
        """How people call it: ``deployment 3``."""
        return f"deployment {self.number}"

    @property
    def taken_back_at(self) -> datetime | None:
        """When the whole of it had been taken back; None where it was not."""
        return self.finished_at if self.status == "rolled back" else None

    @property
    def last_reason(self) -> str | None:
        """``note`` where it says more than what was noted when it was applied."""
        return None if self.note and self.note in (self.applied_note or "") else self.note

    @property
    def notes(self) -> str:
        """All that was noted, in order: when it was applied, the last reason since, and its way back; maybe nothing."""
        back = ""
        if self.back_began_at is not None:
            back = f"Rollback begun {instant_text(self.back_began_at)}"
            back += f", done {instant_text(self.taken_back_at)}" if self.taken_back_at else ""
            back += f": {self.back_note}" if self.back_note else "."
        return " ".join(filter(None, (self.applied_note, back, self.last_reason)))

    @property
    def seconds(self) -> float | None:
        """How long applying took; None while it is not finished, and once a way back has begun: that takes its end."""
        if self.finished_at is None or self.back_began_at is not None or self.direction == "rollback":
            return None
        return (self.finished_at - self.started_at).total_seconds()

    @property
    def is_open(self) -> bool:
        """Whether it can be resumed: begun and neither done, rolled back nor given up."""
        return self.status in ("planned", "running", "paused", "failed")


@dataclass(frozen=True)
class OperationRow:
    """One operation of a deployment: what it is, and how far. ``ordinal`` counts from 1."""

    ordinal: int
    operation: Operation
    status: OperationStatus
    started_at: datetime | None
    finished_at: datetime | None
    undone_at: datetime | None
    attempts: int
    progress: Mapping[str, Any]
    error: str | None

    @property
    def seconds(self) -> float | None:
        """How long it took, None while it is not finished."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


@dataclass(frozen=True)
class Event:
    """Something that happened to a deployment; ``operation`` is a key."""

    at: datetime
    operation: str | None
    actor: str
    level: Level
    message: str


def plan_hash(plan: Mapping[str, Any]) -> str:
    """SHA-256 over the plan's canonical JSON, 64 hex digits."""
    text = json.dumps(plan, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


# Its schema -------------------------------------------------------------------------------------------------


def migrations() -> list[tuple[int, Path]]:
    """The journal's versions in order: number and file of each of ``sql/rollout/journal/migrations/``."""
    found = []
    for file in sorted((paths.SQL / FOLDER / "migrations").glob("*.sql")):
        match = _MIGRATION.fullmatch(file.name)
        if match is None:
            raise RolloutError(f"{file} is not named NNNN_name.sql.", "Rename it.")
        found.append((int(match[1]), file))
    return found


def exists(reader: Reader) -> bool:
    """Whether the database has a journal that this role may see."""
    return bool(_rows(reader, "journal_exists")[0]["found"])


def prepare(session: Session) -> None:
    """Make the journal, or bring it up to this version; RolloutError where it is newer than this program.

    PrivilegeMissing where the role may not create a schema in the database.
    """
    stored = _stored_version(session)
    newest = migrations()[-1][0]
    if stored > newest:
        raise RolloutError(
            f"The journal in this database has version {stored}, and this ms5ops knows versions up to {newest}.",
            "Upgrade ms5ops.",
        )
    if stored == newest:
        return
    with session.transaction(lock_timeout_ms=10_000):
        session.run("CREATE SCHEMA IF NOT EXISTS ms5ops")
        session.run(
            "CREATE TABLE IF NOT EXISTS ms5ops.schema_version (version integer PRIMARY KEY,"
            " applied_at timestamptz NOT NULL DEFAULT clock_timestamp(), applied_by text NOT NULL DEFAULT current_user,"
            " tool_version text NOT NULL)"
        )
        session.run("LOCK TABLE ms5ops.schema_version IN EXCLUSIVE MODE")  # two may be the first at once
        stored = _stored_version(session)
        for version, script in migrations():
            if version > stored:
                session.run(script.read_text(encoding="utf-8"))
                _rows(session, "note_version", version=version, tool_version=__version__)


def _stored_version(session: Session) -> int:
    return int(_rows(session, "stored_version")[0]["version"] or 0) if exists(session) else 0


# Reading ----------------------------------------------------------------------------------------------------


def deployments(reader: Reader, limit: int = 100) -> tuple[Deployment, ...]:
    """Deployments, newest first; empty where the database has no journal."""
    if not exists(reader):
        return ()
    begun = {"planned": PLANNED, "resumed": RESUMED, "rolling_back": ROLLING_BACK}
    return tuple(_deployment(**row) for row in _rows(reader, "deployments", limit=limit, **begun))


def _deployment(id: object, applying: Sequence[str], going_back: str | None, **row: Any) -> Deployment:
    noted = " ".join(filter(None, map(_noted, applying)))
    return Deployment(id=UUID(str(id)), applied_note=noted or None, back_note=_noted(going_back or "") or None, **row)


def _noted(message: str) -> str:
    """What somebody noted, in the message of an event with which applying, or a way back, began or went on."""
    return _BEGINNING.sub("", message, count=1)


def deployment(reader: Reader, wanted: str | UUID | None = None) -> Deployment:
    """The last deployment, or the one of that number, id or beginning of an id; RolloutError where there is none."""
    found = deployments(reader, 10_000)
    if wanted is None:
        if found:
            return found[0]
        raise RolloutError("Nothing was ever applied in this database.", "python -m ms5ops plan shows what would be.")
    text = str(wanted)
    matching = [one for one in found if text == str(one.number) or (len(text) >= 4 and str(one.id).startswith(text))]
    if len(matching) != 1:
        raise RolloutError(
            f"{'No' if not matching else 'More than one'} deployment is called {text!r}.",
            "python -m ms5ops deployments lists them.",
        )
    return matching[0]


def documents(reader: Reader, deployment: UUID) -> tuple[dict[str, Any], Any]:
    """The plan and the captured before-state of a deployment, as JSON values."""
    row = _rows(reader, "deployment_documents", id=str(deployment))[0]
    return row["plan"], row["before_state"]


def operations(reader: Reader, deployment: UUID) -> tuple[OperationRow, ...]:
    """The operations of a deployment in their order."""
    plan, _ = documents(reader, deployment)
    known = {values["key"]: Operation.from_json(values) for values in [*plan["operations"], *plan["advice"]]}
    return tuple(
        OperationRow(
            operation=known[row["key"]],
            **{name: value for name, value in row.items() if name not in ("key", "phase")},
        )
        for row in _rows(reader, "operations", deployment=str(deployment))
    )


def statuses(reader: Reader, deployment: UUID) -> dict[str, OperationStatus]:
    """How far each operation of a deployment is, by key."""
    return {row["key"]: row["status"] for row in _rows(reader, "operations", deployment=str(deployment))}


def events(reader: Reader, deployment: UUID) -> tuple[Event, ...]:
    """What happened to a deployment, in order."""
    return tuple(Event(**row) for row in _rows(reader, "events", deployment=str(deployment)))


def converted_by(reader: Reader, table: str, until: datetime) -> tuple[UUID, int] | None:
    """Id and number of the deployment whose conversion of ``schema.table`` was the last to begin before an instant."""
    found = _rows(reader, "converting_deployment", table=table, until=until)
    return (UUID(str(found[0]["id"])), found[0]["number"]) if found else None


def pieces(reader: Reader, deployment: UUID, ordinal: int) -> tuple[str, ...]:
    """The parts of a long operation that were done, oldest first."""
    found = _rows(reader, "pieces", deployment=str(deployment), ordinal=ordinal)
    return tuple(row["piece"] for row in found)


# Writing ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Journal:
    """Writes what happens to one deployment, in the session's transaction where one is open."""

    session: Session
    deployment: UUID
    who: Who

    def event(self, message: str, level: Level = "info", operation: str | None = None) -> None:
        """Note something that happened."""
        _rows(
            self.session, "add_event",
            deployment=str(self.deployment), operation=operation, actor=self.who.actor, level=level, message=message,
        )  # fmt: skip

    def status(
        self, status: Status, direction: Direction = "apply", note: str | None = None, finished: bool = False
    ) -> None:
        """How far the deployment is, and why."""
        _rows(
            self.session, "set_deployment",
            id=str(self.deployment), status=status, direction=direction, note=note, finished=finished,
        )  # fmt: skip

    def started(self, row: OperationRow) -> None:
        """The operation begins, or begins again."""
        self._operation("start_operation", row, status="running")

    def progress(self, row: OperationRow, **values: object) -> None:
        """How far it is; what is not given stays."""
        self._operation("progress_operation", row, progress=json.dumps(values, default=str))

    def ended(self, row: OperationRow, status: OperationStatus, error: str | None = None) -> None:
        """The operation is done, failed, skipped, or pending again."""
        self._operation("end_operation", row, status=status, error=error)

    def undone(self, row: OperationRow, status: OperationStatus) -> None:
        """The operation is being undone, or undone."""
        self._operation("undo_operation", row, status=status)

    def piece(self, row: OperationRow, piece: str) -> None:
        """A part of a long operation was done."""
        self._operation("add_piece", row, piece=piece)

    def take_requests(self) -> list[RequestKind]:
        """What was asked since the last call, in order."""
        return [row["kind"] for row in _rows(self.session, "take_requests", deployment=str(self.deployment))]

    def _operation(self, name: str, row: OperationRow, **parameters: object) -> None:
        _rows(self.session, name, deployment=str(self.deployment), ordinal=row.ordinal, **parameters)


def begin(
    session: Session,
    plan: PlanLike,
    who: Who,
    *,
    environment: str,
    server_versions: Mapping[str, str],
    identity: UUID | None = None,
    before_state: object = None,
    note: str | None = None,
    fence: Callable[[Session], None] = lambda _session: None,
) -> UUID:
    """Enter a new deployment with its operations, all pending; the journal must exist.

    ``fence`` is called first in the transaction, and raises where somebody else has the right to change the database.
    """
    document = plan.to_json()
    identity = identity or uuid4()
    with session.transaction():
        fence(session)
        _rows(
            session, "add_deployment",
            id=str(identity), environment=environment, actor=who.actor, host=who.host, pid=who.pid,
            tool_version=__version__, server_versions=json.dumps(dict(server_versions)),
            plan=json.dumps(document, default=str), plan_hash=plan_hash(document), state_hash=plan.state_hash,
            policy_hash=plan.policy_hash, before_state=json.dumps(before_state, default=str), note=note,
        )  # fmt: skip
        for ordinal, operation in enumerate([*plan.operations, *plan.advice], start=1):
            _rows(
                session, "add_operation",
                deployment=str(identity), ordinal=ordinal, key=operation.key, phase=operation.phase,
                before=json.dumps(operation.before, default=str),
            )  # fmt: skip
        Journal(session, identity, who).event(f"{PLANNED} {len(plan.operations)} operations. {note or ''}".strip())
    return identity


def ask(session: Session, deployment: UUID, kind: RequestKind, who: Who) -> None:
    """Ask a running deployment to pause, to go on or to be given up; it obeys between two operations or pieces."""
    with session.transaction():
        _rows(session, "add_request", deployment=str(deployment), kind=kind, actor=who.actor)
        Journal(session, deployment, who).event(f"Asked to {kind}.")


def _rows(reader: Reader, name: str, **parameters: object) -> list[dict[str, Any]]:
    return reader.rows(query(FOLDER, name, ANY_VERSION).sql, parameters)
