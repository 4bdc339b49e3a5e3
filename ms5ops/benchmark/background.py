"""The benchmark run that is under way in an environment: one at a time, seen and stopped from anywhere.

Whoever runs benchmarks, in a terminal or for the console, does so inside ``alone``: an exclusive ``flock`` on a file
of the state folder keeps a second run of the same environment out, and a status file beside it tells every session
how far the run is. The kernel releases the lock however the process ends, so a status file without a held lock is a
run that died, and is said to be one. The console's runs are processes of their own (``ms5ops.control.runs``), which a
closed tab or a restarted console does not end.

Stopping is a request by file, which the run sees between two samples: a signal would be lost where the process was
started with interrupts ignored.
"""

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from ms5ops import paths
from ms5ops.benchmark.options import Progress
from ms5ops.errors import BenchmarkError, Ms5opsError

WRITE_EVERY_S = 0.25
"""Own choice: four times as often as pages look (once a second)."""
_POLL_S = 0.05
_GLANCE_S = 0.3


@dataclass(frozen=True)
class Status:
    """How far a run is: ``done`` of ``total`` work, and ``step``, what is measured now.

    ``remaining_seconds`` is the runner's estimate, None before it has one. ``outcome`` is None while it runs, and
    afterwards "finished", "stopped" (what was measured is kept), "failed" (``message`` says why) or "died" (the
    process ended without a word). ``run_id`` is the stored run's.
    """

    environment: str
    label: str | None
    actor: str
    pid: int
    started_at: datetime
    done: int = 0
    total: int = 0
    step: str = "Starting"
    remaining_seconds: float | None = None
    stop_asked: bool = False
    outcome: str | None = None
    message: str | None = None
    run_id: str | None = None
    finished_at: datetime | None = None

    @property
    def is_running(self) -> bool:
        """Whether the run is under way."""
        return self.outcome is None

    @property
    def share(self) -> float:
        """How far it is, 0 to 1."""
        return min(self.done / self.total, 1.0) if self.total else 0.0


class Announcement:
    """The status of this process's run, written for all to see."""

    def __init__(self, status: Status, file: Path, stop: Path) -> None:
        self.status, self._file, self._stop = status, file, stop
        self._written = -WRITE_EVERY_S
        self._write()

    def progress(self, done: int, total: int, step: str, remaining_seconds: float | None = None) -> None:
        """Say how far the run is; most calls cost nothing, since only some of them are written."""
        self.status = replace(self.status, done=done, total=total, step=step, remaining_seconds=remaining_seconds)
        if time.monotonic() - self._written >= WRITE_EVERY_S:
            self._write()

    def report(self, progress: Progress) -> None:
        """Say how far the run is, in tenths of a second of its expected work."""
        self.progress(
            round(progress.done_seconds * 10),
            round(progress.total_seconds * 10),
            progress.label,
            progress.remaining_seconds,
        )

    def stop_asked(self) -> bool:
        """Whether somebody asked the run to stop."""
        return self._stop.exists()

    def ended(self, outcome: str, message: str | None = None, run_id: str | None = None) -> None:
        """Say how the run ended."""
        self.status = replace(
            self.status, outcome=outcome, message=message, run_id=run_id, finished_at=datetime.now(UTC)
        )
        self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self.status), default=str), encoding="utf-8")
        fresh.replace(self._file)


@contextmanager
def alone(environment: str, *, label: str | None, actor: str) -> Iterator[Announcement]:
    """Be the one run of the environment; BenchmarkError where another is under way (it says whose and since when).

    An error that leaves the block is noted as the run's end, and goes on.
    """
    with _lock(environment).open("a") as handle:
        if not _taken(handle):
            raise _busy(environment)
        _stop_file(environment).unlink(missing_ok=True)
        announced = Announcement(
            Status(environment, label, actor, os.getpid(), datetime.now(UTC)),
            _status_file(environment),
            _stop_file(environment),
        )
        try:
            yield announced
        except BaseException as error:
            if announced.status.outcome is None:
                announced.ended("failed", _why(error))
            raise
        if announced.status.outcome is None:
            announced.ended("finished")


def current(environment: str) -> Status | None:
    """The run that is under way, or else the last one; None where none was ever started here."""
    running = _is_held(environment)  # before the file is read: a run that ends between the two has written its end
    try:
        values = json.loads(_status_file(environment).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    for name in ("started_at", "finished_at"):
        values[name] = datetime.fromisoformat(values[name]) if values[name] else None
    found = Status(**values)
    if found.outcome is None and not running:
        return replace(found, outcome="died")
    if found.outcome is None:
        return replace(found, stop_asked=_stop_file(environment).exists())
    return found


def ask_to_stop(environment: str) -> None:
    """Ask the run under way to stop and keep what it has measured; nothing where there is none."""
    if _is_held(environment):
        _stop_file(environment).touch()


def draft_file(environment: str) -> Path:
    """Where the run under way keeps what it has measured so far; there afterwards only where it was killed."""
    return _folder() / f"{_file_name(environment)}.draft"


def _folder() -> Path:
    folder = paths.state_folder() / "benchmark"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchmarkError(
            f"The folder {folder} for the state of benchmark runs cannot be made: {error.strerror}.",
            "Name a folder that this user may write to in MS5OPS_STATE.",
        ) from error
    return folder


def _file_name(environment: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", environment)


def _lock(environment: str) -> Path:
    return _folder() / f"{_file_name(environment)}.lock"


def _status_file(environment: str) -> Path:
    return _folder() / f"{_file_name(environment)}.json"


def _stop_file(environment: str) -> Path:
    return _folder() / f"{_file_name(environment)}.stop"


def _taken(handle: IO[str]) -> bool:
    deadline = time.monotonic() + _GLANCE_S  # a page that looks holds the lock for an instant
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        else:
            return True


def _is_held(environment: str) -> bool:
    try:
        with _lock(environment).open() as handle:
            # A shared lock for an instant: two that look at once do not take each other for a run.
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _why(error: BaseException) -> str:
    if isinstance(error, Ms5opsError):
        return str(error)
    if isinstance(error, Exception):
        return f"The run has a defect ({type(error).__name__}). Report it with what the run wrote."
    return "The run was interrupted."


def _busy(environment: str) -> BenchmarkError:
    found = current(environment)
    who = f", started by {found.actor} at {found.started_at:%Y-%m-%d %H:%M} UTC" if found else ""
    return BenchmarkError(
        f"Benchmarks of {environment} are being run already (process {found.pid if found else 'unknown'}{who}).",
        "Two at once would measure each other: wait until it is done, or stop it on the Benchmarks page.",
    )
