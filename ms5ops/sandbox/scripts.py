r"""SQL scripts that are written for psql, read so that any connection can run them.

Of psql's own commands they use three, on lines of their own: ``\set``, ``\echo 'text'``, and ``\gexec`` after a query
whose values are statements to run.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlparse

GEXEC = "/* gexec */"
r"""Ends a query that psql would end with ``\gexec``."""

_ECHO = re.compile(r"^\\echo '((?:[^']|'')*)'$", re.MULTILINE)
_COMMAND = re.compile(r"^\\(?!gexec$).*\n", re.MULTILINE)
_OF_SESSION = re.compile(r"SET\s+(?:timezone|lock_timeout|client_min_messages)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    r"""What a script does between two ``\echo``: what it says of it (empty before the first), and its statements.

    A statement has neither comments nor a semicolon at its end; from BEGIN to COMMIT they are one text, which a server
    runs as one transaction.
    """

    title: str
    statements: tuple[str, ...]


def parts(file: Path) -> tuple[Part, ...]:
    """The parts of a script that have statements, in order.

    Without what a script sets for psql's session (time zone, lock_timeout, messages): a connection here has its own.
    """
    pieces = _ECHO.split(file.read_text(encoding="utf-8"))
    titles = ["", *(title.replace("''", "'") for title in pieces[1::2])]
    found = (Part(title, tuple(_statements(text))) for title, text in zip(titles, pieces[::2], strict=True))
    return tuple(part for part in found if part.statements)


def statements(file: Path) -> list[str]:
    """The statements of all parts."""
    return [statement for part in parts(file) for statement in part.statements]


def _statements(text: str) -> Iterator[str]:
    transaction: list[str] | None = None
    marked = re.sub(r"^\\gexec$", f"{GEXEC};", _COMMAND.sub("", text), flags=re.MULTILINE)
    for piece in sqlparse.split(marked, strip_semicolon=True):
        bare = sqlparse.format(piece, strip_comments=True).strip()
        if not bare or _OF_SESSION.match(bare):
            continue
        if bare.upper() == "BEGIN":
            transaction = []
        elif bare.upper() == "COMMIT" and transaction is not None:
            yield ";\n".join(transaction)
            transaction = None
        elif transaction is not None:
            transaction.append(bare)
        else:
            yield f"{bare} {GEXEC}" if piece.endswith(GEXEC) else bare
