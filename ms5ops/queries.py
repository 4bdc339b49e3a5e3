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

A folder whose files tell more than this names its further keys to ``catalogue``; they are in ``Query.extra``.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ms5ops import paths
from ms5ops.errors import QueryMissing

Version = tuple[int, int, int]
ANY_VERSION: Version = (999, 0, 0)
"""For queries that do not run on TimescaleDB (the history's): whatever has no upper bound fits."""
_HEADER = re.compile(r"^--\s*([a-z][a-z0-9_]*)\s*:\s*(.*)$")
_REQUIRED = ("name", "about", "columns", "budget_ms")
_OPTIONAL = ("timescaledb", "edition", "params")


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
    return tuple(read_query(file, extra) for file in sorted((paths.SQL / folder).glob("*.sql")))


def read_query(file: Path, extra: Collection[str] = ()) -> Query:
    """Parse one file; QueryMissing names the file and the header line that is wrong or missing."""
    header: dict[str, str] = {}
    body: list[str] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        match = _HEADER.match(line) if not body else None
        if match:
            header[match[1]] = match[2].strip()
        elif line.strip() or body:
            body.append(line)
    wrong = [key for key in _REQUIRED if key not in header] + [
        key for key in header if key not in (*_REQUIRED, *_OPTIONAL, *extra)
    ]
    if wrong:
        raise QueryMissing(f"{file} has a wrong header ({', '.join(wrong)}).", "Correct its first lines.")
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


def _bounds(text: str, file: Path) -> tuple[Version, Version | None]:
    match = re.fullmatch(r">=\s*([\d.]+)(?:\s*,\s*<\s*([\d.]+))?", text)
    if match is None:
        raise QueryMissing(f"{file} has a version range that cannot be read: {text!r}.", "Write it as >=2.11, <2.29.")
    return parse_version(match[1]), parse_version(match[2]) if match[2] else None


def _column(part: str) -> tuple[str, str]:
    name, _, kind = part.strip().partition(" ")
    return name, kind.strip()
