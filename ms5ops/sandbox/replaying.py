"""The replay that fills the sandbox with months of factory life: who is at it, and how far it is.

Whoever replays does so inside ``alone``: an exclusive ``flock`` on a file of the sandbox's folder keeps a second one
out, and a status file beside it tells every session how far it is. The kernel releases the lock however the process
ends, so a status without a held lock tells of a replay that is over, or died.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ms5ops import paths
from ms5ops.errors import SandboxError
from ms5ops.units import duration_text

WRITE_EVERY_S = 0.25
"""Own choice: four times as often as pages look (once a second)."""
_GLANCE_S = 0.3
_POLL_S = 0.05


@dataclass(frozen=True)
class Status:
    """How far a replay is: month ``month`` of ``months``, ``label`` what it is at, ``fraction`` 0 to 1 of the whole."""

    months: int
    month: int = 1
    label: str = "starting"
    fraction: float = 0.0
    remaining_seconds: float | None = None
    pid: int = 0

    @property
    def text(self) -> str:
        """In words: ``replaying month 3 of 8, about 40 s left``."""
        left = "" if self.remaining_seconds is None else f", about {duration_text(round(self.remaining_seconds))} left"
        return f"replaying month {self.month} of {self.months}{left}"


class Announcement:
    """The status of this process's replay, written for all to see."""

    def __init__(self, status: Status, file: Path) -> None:
        self.status, self._file, self._written = status, file, -WRITE_EVERY_S
        self.say()

    def say(self, **values: object) -> None:
        """Say how far it is; most calls cost nothing, since only some of them are written."""
        self.status = replace(self.status, **values)  # type: ignore[arg-type]  # the fields of Status
        if time.monotonic() - self._written < WRITE_EVERY_S:
            return
        self._written = time.monotonic()
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self.status)), encoding="utf-8")
        fresh.replace(self._file)


@contextmanager
def alone(months: int, folder: Path | None = None) -> Iterator[Announcement]:
    """Be the one who replays in the sandbox of the folder (None: the usual one); SandboxError where another does."""
    lock = _lock(folder)
    lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with lock.open("a") as handle:
        deadline = time.monotonic() + _GLANCE_S  # a page that looks holds the lock for an instant
        while not _locked(handle.fileno()):
            if time.monotonic() > deadline:
                raise under_way_error()
            time.sleep(_POLL_S)
        yield Announcement(Status(months, pid=os.getpid()), lock.with_suffix(".json"))
        lock.with_suffix(".json").unlink(missing_ok=True)


def status(folder: Path | None = None) -> Status | None:
    """The replay that is under way, None where none is."""
    lock = _lock(folder)
    try:
        with lock.open() as handle:
            # A shared lock for an instant: two that look at once do not take each other for a replay.
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
    except FileNotFoundError:
        return None
    except BlockingIOError:
        pass
    try:
        return Status(**json.loads(lock.with_suffix(".json").read_text(encoding="utf-8")))
    except FileNotFoundError:  # it has just begun, or is just over
        return None


def refuse_meanwhile(folder: Path | None = None) -> None:
    """SandboxError while a replay is under way: what is measured or changed meanwhile would get into its months."""
    if status(folder) is not None:
        raise under_way_error()


def under_way_error() -> SandboxError:
    """What whoever wants to change the sandbox meanwhile is told."""
    return SandboxError(
        "Months of factory life are being replayed in the sandbox.",
        "Wait until that is done: it takes a minute or two, and every page says how far it is.",
    )


def _lock(folder: Path | None) -> Path:
    return (folder or paths.state_folder() / "sandbox") / "replay.lock"


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
