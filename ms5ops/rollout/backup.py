"""A backup before the first change: pg_dump's custom format, verified by listing what is in it.

It is a dump of the whole database. To restore one of a TimescaleDB database, timescaledb_pre_restore() comes before
pg_restore and timescaledb_post_restore() after it. The password goes to the tools through their environment only.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ms5ops import paths
from ms5ops.database import Target
from ms5ops.errors import BackupError
from ms5ops.units import bytes_text

WAIT_S = 0.5
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?")


@dataclass(frozen=True)
class Tool:
    """The two programs, and their version (``16.4``)."""

    pg_dump: Path
    pg_restore: Path
    version: str


@dataclass(frozen=True)
class Backup:
    """A dump that was read back. ``tables`` were found in it, as ``schema.name``."""

    file: Path
    size_bytes: int
    tables: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        return f"{self.file} ({bytes_text(self.size_bytes)}, {len(self.tables)} tables found in it)"


def folder() -> Path:
    """Where backups are put: ``backups/`` in the state folder."""
    return paths.state_folder() / "backups"


def dump_tool(server_major: int) -> Tool:
    """pg_dump and pg_restore of this machine; BackupError where they are missing or older than the server."""
    found = {name: shutil.which(name) for name in ("pg_dump", "pg_restore")}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise BackupError(
            f"{' and '.join(missing)} cannot be found, so that no backup can be made.",
            f"Install PostgreSQL's client programs, version {server_major} or newer, or decide to go without "
            "(--no-backup REASON).",
        )
    pg_dump, pg_restore = Path(str(found["pg_dump"])), Path(str(found["pg_restore"]))
    text = _run([str(pg_dump), "--version"], dict(os.environ)).stdout
    match = _VERSION.search(text)
    if match is None:
        raise BackupError(f"{pg_dump} does not tell its version ({text.strip()!r}).", "Reinstall it.")
    if int(match[1]) < server_major:
        raise BackupError(
            f"{pg_dump} has version {match[1]}, which cannot dump a server of version {server_major}.",
            f"Install PostgreSQL's client programs, version {server_major} or newer, or decide to go without "
            "(--no-backup REASON).",
        )
    return Tool(pg_dump, pg_restore, ".".join(filter(None, match.groups())))


def make(
    target: Target,
    server_major: int,
    tables: Sequence[str],
    into: Path | None = None,
    progress: Callable[[int], None] = lambda _size_bytes: None,
) -> Backup:
    """Dump the database and read the dump back; ``tables`` (``schema.name``) must be in it.

    ``progress`` is told the bytes written so far. BackupError where a tool is missing or too old, the dump fails or
    lacks a table: the unfinished file is then removed.
    """
    tool = dump_tool(server_major)
    into = into or folder()
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    began = datetime.now(UTC)
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", f"{target.database}@{target.host}")
    file = into / f"{name}_{began:%Y%m%dT%H%M%SZ}.dump"
    draft = file.with_suffix(".unfinished")
    try:
        _dump(tool, target, draft, progress)
        found = _listed(tool, draft)
        lacking = sorted(set(tables) - found)
        if lacking:
            raise BackupError(f"The dump lacks {', '.join(lacking)}.", "Check which tables the role may read.")
        draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)
    seconds = (datetime.now(UTC) - began).total_seconds()
    return Backup(file, file.stat().st_size, tuple(sorted(set(tables))), seconds)


def _dump(tool: Tool, target: Target, file: Path, progress: Callable[[int], None]) -> None:
    command = [
        str(tool.pg_dump), "--format=custom", "--no-password", f"--file={file}",
        f"--host={target.host}", f"--port={target.port}", f"--username={target.user}", f"--dbname={target.database}",
    ]  # fmt: skip
    environment = {**os.environ, "PGSSLMODE": target.sslmode, "PGAPPNAME": "ms5ops backup"}
    if target.password is not None:
        environment["PGPASSWORD"] = target.password.get_secret_value()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        try:
            while True:
                try:
                    _, errors = child.communicate(timeout=WAIT_S)
                    break
                except subprocess.TimeoutExpired:
                    progress(file.stat().st_size if file.exists() else 0)
        except BaseException:
            child.terminate()
            raise
    if child.returncode:
        raise BackupError(f"pg_dump failed: {_last_line(errors.decode(errors='replace'))}.", "Mend that, or see above.")


def _listed(tool: Tool, file: Path) -> set[str]:
    """The tables whose definition stands in the dump's table of contents (a hypertable's data are its chunks')."""
    done = _run([str(tool.pg_restore), "--list", str(file)], dict(os.environ))
    if done.returncode:
        raise BackupError(f"pg_restore cannot read the dump: {_last_line(done.stderr)}.", "Try again.")
    found = re.findall(r"^\d+; \d+ \d+ TABLE (\S+) (\S+) ", done.stdout, re.MULTILINE)
    return {f"{schema}.{name}" for schema, name in found}


def _run(command: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "it said nothing"
