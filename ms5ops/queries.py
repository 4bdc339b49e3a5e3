"""Named queries: one file each under sql/, chosen by the server's TimescaleDB version.

A file starts with a header of ``-- key: value`` lines::

    -- name: chunks
    -- about: Chunks of one hypertable, newest first.
    -- timescaledb: >=2.11, <2.29
    -- edition: any
    -- params: schema, table
    -- columns: chunk text; range_start timestamptz; size_bytes bytes
    -- budget_ms: 100

``timescaledb`` bounds the versions whose catalogue the text fits (left out: 2.11 and newer). Several files of
a folder may carry one name (``chunks.sql``, ``chunks.public.sql``): the one with the highest lower bound that
fits the server is used, and where the bounds are equal the one with an upper bound (a tuned variant) before
the open one (built on the public views). None is an error.

A folder whose files tell more than this names its further keys to ``catalogue``; they are in ``Query.extra``. Folders
that people keep elsewhere (benchmarks of their own) are read by the same rules, by ``read_folder``.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ms5ops import paths
from ms5ops.errors import QueryMissing
from ms5ops.strict import nearest

Version = tuple[int, int, int]
ANY_VERSION: Version = (999, 0, 0)
"""For queries that do not run on TimescaleDB (the history's): whatever has no upper bound fits."""
_HEADER = re.compile(r"^--\s*([a-z][a-z0-9_]*)\s*:\s*(.*)$")
_REQUIRED = ("name", "about", "columns", "budget_ms")
_OPTIONAL = ("timescaledb", "edition", "params")
_CORRECT = "Correct its first lines."
MOST_BYTES = 256 * 1024
"""Own choice: a query has a few kB, so what is larger is something else."""


@dataclass(frozen=True)
class Query:
    """One variant of a named query.

    ``at_least`` and ``below`` bound the TimescaleDB versions (below None: no upper bound); ``columns`` maps
    each column to its type or unit, in order; ``budget_ms`` is what it may take on a warm server of
    5,000 chunks.
    """

    name: str
    about: str
    sql: str
    at_least: Version
    below: Version | None
    edition: str
    params: tuple[str, ...]
    columns: Mapping[str, str]
    budget_ms: int
    file: Path
    extra: Mapping[str, str] = field(default_factory=dict)

    def fits(self, version: Version) -> bool:
        """Whether this variant is written for that TimescaleDB version."""
        return self.at_least <= version and (self.below is None or version < self.below)


def parse_version(text: str) -> Version:
    """``2.23.0-dev`` as (2, 23, 0); QueryMissing where it is no version."""
    match = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    if match is None:
        raise QueryMissing(f"{text!r} is not a version number.", "Report this.")
    return int(match[1]), int(match[2]), int(match[3] or 0)


def version_text(version: Version) -> str:
    """(2, 23, 0) as ``2.23.0``."""
    return ".".join(map(str, version))


def query(folder: str, name: str, version: Version) -> Query:
    """The best variant of ``sql/<folder>``'s query ``name`` for that TimescaleDB version.

    Raises QueryMissing when there is none.
    """
    fitting = [found for found in catalogue(folder) if found.name == name and found.fits(version)]
    if not fitting:
        raise QueryMissing(
            f"There is no query {name!r} for TimescaleDB {version_text(version)}.",
            "Use TimescaleDB 2.11 or newer, or report this if it is.",
        )
    return max(fitting, key=lambda found: (found.at_least, found.below is not None))


@cache
def catalogue(folder: str, extra: tuple[str, ...] = ()) -> tuple[Query, ...]:
    """Every query file of ``sql/<folder>``, by file name; ``extra`` are further keys that headers may have."""
    return read_folder(paths.SQL / folder, extra)


def read_folder(folder: Path, extra: Collection[str] = ()) -> tuple[Query, ...]:
    """Every query file that lies in a folder, by file name, as it is now; hidden files are left out.

    Raises QueryMissing where the folder or a file cannot be read, and where a file leads out of the folder.
    """
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix == ".sql" and not file.name.startswith("."))
    except OSError as error:
        raise QueryMissing(f"The folder {folder} cannot be read ({error.strerror}).", "Check its name.") from error
    for file in files:
        if leads_out(file, folder):
            raise QueryMissing(f"{file} is a link that leads out of its folder.", "Put the file itself there.")
    return tuple(read_query(file, extra) for file in files)


def leads_out(file: Path, folder: Path) -> bool:
    """Whether a file or folder below ``folder`` is a link to somewhere else, or to nowhere."""
    try:
        return not file.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a link that leads to itself
        return True


def read_query(file: Path, extra: Collection[str] = ()) -> Query:
    """Parse one file; QueryMissing names the file and the header line that is wrong or missing."""
    header: dict[str, str] = {}
    lines: dict[str, int] = {}
    body: list[str] = []
    known = (*_REQUIRED, *_OPTIONAL, *extra)
    for number, line in enumerate(_text(file).splitlines(), start=1):
        match = _HEADER.match(line) if not body else None
        if match:
            key = match[1]
            if key not in known:
                told = f"{file}, line {number}: {key} is no key of its header{nearest(key, known)}."
                raise QueryMissing(told, _CORRECT)
            if key in header:
                raise QueryMissing(f"{file}, line {number}: {key} stands in its header twice.", _CORRECT)
            header[key], lines[key] = match[2].strip(), number
        elif line.strip() or body:
            body.append(line)
    lacking = [f'"-- {key}: ..."' for key in _REQUIRED if not header.get(key)]
    if lacking:
        raise QueryMissing(f"{file} lacks {', '.join(lacking)} in its header.", _CORRECT)
    if not header["budget_ms"].isdecimal():
        told = (
            f"{file}, line {lines['budget_ms']}: budget_ms is {header['budget_ms']!r}, and must be whole milliseconds."
        )
        raise QueryMissing(told, _CORRECT)
    at_least, below = _bounds(header.get("timescaledb", ">=2.11"), file)
    return Query(
        name=header["name"],
        about=header["about"],
        sql="\n".join(body).rstrip().rstrip(";"),
        at_least=at_least,
        below=below,
        edition=header.get("edition", "any"),
        params=tuple(filter(None, re.split(r"[,\s]+", header.get("params", "")))),
        columns=dict(_column(part) for part in header["columns"].split(";") if part.strip()),
        budget_ms=int(header["budget_ms"]),
        file=file,
        extra={key: header[key] for key in extra if key in header},
    )


def _text(file: Path) -> str:
    try:
        if not file.is_file():
            raise QueryMissing(f"{file} is no file.", "Move it elsewhere, or give it another ending than .sql.")
        if file.stat().st_size > MOST_BYTES:
            raise QueryMissing(f"{file} has {file.stat().st_size:,} bytes: a query has a few thousand.", "Shorten it.")
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise QueryMissing(f"{file} cannot be read ({error.strerror}).", "Check its permissions.") from error
    except UnicodeDecodeError as error:
        raise QueryMissing(f"{file} is no text in UTF-8 ({error.reason}).", "Save it in UTF-8.") from error


def _bounds(text: str, file: Path) -> tuple[Version, Version | None]:
    match = re.fullmatch(r">=\s*([\d.]+)(?:\s*,\s*<\s*([\d.]+))?", text)
    if match is None:
        raise QueryMissing(f"{file} has a version range that cannot be read: {text!r}.", "Write it as >=2.11, <2.29.")
    return parse_version(match[1]), parse_version(match[2]) if match[2] else None


def _column(part: str) -> tuple[str, str]:
    name, _, kind = part.strip().partition(" ")
    return name, kind.strip()
