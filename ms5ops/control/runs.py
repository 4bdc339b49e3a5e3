"""Work in a process of its own, which outlives the page, the console and the browser that asked for it.

A run is entered in the store before its process starts; of two that ask at once, the second is given the first one's
run. The process holds an exclusive lock on ``runs/<id>.lock`` for its whole life, so that whether it lives is the
kernel's word and not a process id's. Nor is it a host name's: a container that is made anew has another one, and the
same folder. Between hosts the lease in the database decides.
"""

import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from ms5ops import paths
from ms5ops.access.roles import Action, Actor
from ms5ops.control.store import ControlError, Row, Store, read, written

Kind = Literal["dry run", "apply", "resume", "rollback", "benchmark"]
ACTIONS: dict[Kind, Action] = {
    "dry run": "dry run",
    "apply": "apply",
    "resume": "apply",
    "rollback": "roll back",
    "benchmark": "benchmark",
}
"""What an actor must be allowed to do for each kind."""
Scope = Literal["quick", "usual", "everything"]
"""What a benchmark run measures: queries with few samples, queries and jobs, or also what strains the server."""
ENDED = ("done", "rolled back", "paused", "cancelled", "failed", "refused", "died")
DIED = "Its process ended unasked; what was committed is kept."
WELL_ENDED = ("done", "rolled back")
LOG_TAIL_BYTES = 20_000
_CHILDREN: list["subprocess.Popen[bytes]"] = []
"""Started from here and not yet seen to have ended, so that no dead one is left unasked for."""


@dataclass(frozen=True)
class Options:
    """How a run was asked for. Reasons are sentences that the journal keeps; None where none was needed.

    ``phases`` to take back (none: all), ``conversions``, ``accept_loss`` and ``force`` as for a rollback; ``label``
    names a benchmark run, ``scope`` says what it measures, ``repeat`` how many times in a row (1 to 50).
    """

    outside_window: str | None = None
    no_backup: str | None = None
    phases: tuple[int, ...] = ()
    conversions: bool = False
    accept_loss: bool = False
    force: bool = False
    label: str | None = None
    scope: Scope = "usual"
    repeat: int = 1


@dataclass(frozen=True)
class Order:
    """What shall be done: of a kept plan (its id), or of a deployment (its id)."""

    kind: Kind
    environment: str
    plan: str | None = None
    deployment: str | None = None
    options: Options = field(default_factory=Options)


@dataclass(frozen=True)
class Run:
    """One process's work. ``stage`` is what it does now, in words; ``outcome`` (one of ENDED) how it ended."""

    id: str
    order: Order
    actor: str
    provider: str
    asked_at: datetime
    host: str
    pid: int | None
    stage: str
    ended_at: datetime | None
    outcome: str | None
    message: str | None
    checks: Mapping[str, Any]

    @property
    def is_open(self) -> bool:
        """Whether it is not known to have ended."""
        return self.ended_at is None

    @property
    def log(self) -> Path:
        """Where its process writes, on its host."""
        return folder() / f"{self.id}.log"


def folder() -> Path:
    """Where locks and logs of runs are: ``runs/`` in the state folder."""
    return paths.state_folder() / "runs"


def start(store: Store, order: Order, actor: Actor) -> tuple[Run, bool]:
    """Start a process for the order; its run, and True. Where one is at work there already: that run, and False.
    ControlError where none can be started; nothing is entered then.

    Only what has checked the actor calls this. The process gets the run's id, and nothing else, on its command line.
    """
    now = store.now()
    identity = str(uuid4())
    with store.changing() as change:
        for row in change("open_runs", environment=order.environment):
            if is_alive(row["id"]):
                return _run(row), False
            change("end_run", id=row["id"], ended_at=written(now), outcome="died", message=DIED)
        change(
            "add_run",
            id=identity, kind=order.kind, environment=order.environment, plan=order.plan, deployment=order.deployment,
            actor=actor.name, provider=actor.provider, options=json.dumps(asdict(order.options)), asked_at=written(now),
            host=socket.gethostname(),
        )  # fmt: skip
        # Within the transaction: whoever asks next finds the lock held, and no run without a process.
        try:
            folder().mkdir(parents=True, exist_ok=True, mode=0o700)
            _spawn(identity)
        except OSError as error:
            raise ControlError(
                f"No process could be started ({error.strerror}).",
                f"Look whether {folder()} can be written to and has room, and try again.",
            ) from error
    return named(store, identity), True


def _spawn(identity: str) -> None:
    _CHILDREN[:] = [child for child in _CHILDREN if child.poll() is None]
    lock = os.open(folder() / f"{identity}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with (folder() / f"{identity}.log").open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "ms5ops", "work", identity],
                cwd=paths.PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # it outlives the console's end, however that comes
                pass_fds=(lock,),
            )
        _CHILDREN.append(child)
    finally:
        os.close(lock)  # the child's own copy keeps the lock


def is_alive(identity: str) -> bool:
    """Whether the run's process lives."""
    try:
        probe = os.open(folder() / f"{identity}.lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two who ask at once are no process at work
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(probe)


def named(store: Store, wanted: str) -> Run:
    """The newest run of that id, or of the deployment with that id; ControlError where there is none."""
    wanted = wanted.strip()
    found = store.rows("run_named", wanted=wanted) if len(wanted) >= 4 else []
    if not found:
        raise ControlError(f"There is no run {wanted[:60]!r}.", "The history lists what was done.")
    return _run(found[0])


def at_work(store: Store, environment: str) -> Run | None:
    """The run that works on an environment now; those whose process is gone are marked so."""
    for row in store.rows("open_runs", environment=environment):
        if is_alive(row["id"]):
            return _run(row)
        end(store, row["id"], "died", DIED)
    return None


def latest(store: Store, environment: str, most: int = 30) -> tuple[Run, ...]:
    """Runs of an environment, newest first."""
    return tuple(_run(row) for row in store.rows("runs", environment=environment, most=most))


def claim(store: Store, identity: str) -> Run:
    """Take a run on in this process; ControlError where it has ended, or another process has it."""
    if not store.change("claim_run", id=identity, pid=os.getpid()):
        raise ControlError(f"The run {identity[:60]!r} is not waiting for a process.", "Start it from the console.")
    return named(store, identity)


def stage(store: Store, identity: str, text: str, deployment: str | None = None) -> None:
    """Note what a run does now, and on which deployment."""
    store.change("run_stage", id=identity, stage=text, deployment=deployment)


def keep_checks(store: Store, identity: str, checks: Mapping[str, Any]) -> None:
    """Keep the checks that a run made."""
    store.change("run_checks", id=identity, checks=json.dumps(dict(checks), default=str))


def end(store: Store, identity: str, outcome: str, message: str = "") -> None:
    """Note how a run ended."""
    store.change("end_run", id=identity, ended_at=written(store.now()), outcome=outcome, message=message)


def log_tail(run: Run) -> str:
    """The end of what its process wrote; empty where it wrote nothing, or on another host."""
    with suppress(OSError), run.log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - LOG_TAIL_BYTES))
        return file.read().decode("utf-8", errors="replace")
    return ""


def _run(row: Row) -> Run:
    options = json.loads(row["options"])
    return Run(
        id=row["id"],
        order=Order(
            kind=row["kind"],
            environment=row["environment"],
            plan=row["plan"],
            deployment=row["deployment"],
            options=Options(**{**options, "phases": tuple(options["phases"])}),
        ),
        asked_at=datetime.fromisoformat(row["asked_at"]),
        ended_at=read(row["ended_at"]),
        checks=json.loads(row["checks"] or "{}"),
        **{name: row[name] for name in ("actor", "provider", "host", "pid", "stage", "outcome", "message")},
    )
