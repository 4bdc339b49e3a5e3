"""SQL bodies: the files under sql/ that a policy names, or its own SELECTs, checked before anything is made from them.

A file starts with ``-- key: value`` lines: ``name`` and ``about`` always, ``source`` for aggregates. What follows is
one statement: a SELECT for aggregates and views, a CREATE PROCEDURE for jobs.
"""

import hashlib
import re
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import sqlparse
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo
from sqlparse import lexer, tokens

from ms5ops import paths
from ms5ops.policy.intervals import parse_interval
from ms5ops.strict import nearest

MOST_BYTES = 256 * 1024
"""Own choice: a body has a few kB, so what is larger is something else."""

_HEADER = re.compile(r"--\s*([a-z_]+)\s*:\s+(.*)")
_BODY_FILE = re.compile(r"(?:[a-z0-9_]+/)*[a-z0-9_]+\.sql")
_BUCKET = re.compile(r"time_bucket\(\s*(?:INTERVAL\s+)?'([^']+)'", re.IGNORECASE)
_FROM = re.compile(r"\bFROM\s+[(\s]*([a-z_][\w]*\.[a-z_]\w*)", re.IGNORECASE)
_WRITTEN_OUT = re.compile(r"\s*(?:SELECT\b|WITH\b|--|/\*|\()", re.IGNORECASE)
_PLAIN_PIECE = re.compile(
    r"""\s+|'(?:[^'\\]|'')*'|"(?:[^"\\]|"")+"|\w+|(?!--|/\*)[-+*/<>=~!@#%^&|`?]|::|[(),.:\[\]]""", re.ASCII
)
"""What a SELECT of a policy set may be made of: what every reader of SQL reads alike. No backslashes, which are an
escape in some strings and none in others, no dollar quotes, no comments (PostgreSQL's nest), and no semicolon."""
_CHANGING_CTE = re.compile(
    r"\bAS\s*(?:(?:NOT\s+)?MATERIALIZED\s*)?\(\s*(INSERT|UPDATE|DELETE|MERGE)\b|\b(INTO)\b", re.IGNORECASE
)
_FROM_OF_FUNCTION = re.compile(r"\b(EXTRACT|SUBSTRING|OVERLAY|TRIM)\s*\(([^()]*?)\bFROM\b", re.IGNORECASE)
_QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*\"""")
_CHANGES = re.compile(
    r"\b(insert|update|delete|merge|truncate|create|drop|alter|grant|copy|call|into)\b", re.IGNORECASE
)
_PROCEDURE = re.compile(
    r"CREATE OR REPLACE PROCEDURE (?P<name>\w+\.\w+)\s*\(\s*job_id\s+integer,\s*config\s+jsonb\s*\)\s*"
    r"LANGUAGE plpgsql\s+AS\s+(?P<quote>\$\w*\$)(?P<body>.*)(?P=quote)",
    re.IGNORECASE | re.DOTALL,
)


class SqlBody(BaseModel):
    """One body. ``file`` is relative to the sql folder (of a SELECT in the policy itself: a name that changes with its
    text); ``sql`` has neither header nor closing semicolon."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    name: str
    about: str
    sql: str
    source: str | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """Relations in its FROM clauses as ``schema.name``, in order (joined ones left out)."""
        bare = _FROM_OF_FUNCTION.sub(r"\1(\2,", without_comments(self.sql))
        return tuple(dict.fromkeys(match.lower() for match in _FROM.findall(bare)))

    @property
    def buckets(self) -> frozenset[timedelta]:
        """The widths that it gives to time_bucket."""
        return frozenset(parse_interval(text) for text in _BUCKET.findall(without_comments(self.sql)))

    @property
    def creates(self) -> str | None:
        """The procedure that it creates as ``schema.name``, None for a SELECT."""
        match = _PROCEDURE.fullmatch(self.sql)
        return match["name"] if match else None


def without_comments(sql: str) -> str:
    """The statement without its comments, for reading it by pattern."""
    return "".join(" " if kind in tokens.Comment else text for kind, text in _pieces(sql)).strip()


def words(sql: str) -> tuple[str, ...]:
    """Its words, literals and signs in order, in lower case, without blanks and comments."""
    return tuple(
        " ".join(text.lower().split())
        for kind, text in _pieces(sql)
        if kind not in tokens.Whitespace and kind not in tokens.Comment
    )


@lru_cache(maxsize=64)
def _pieces(sql: str) -> tuple[tuple[Any, str], ...]:
    # The lexer alone: the parser groups, which it refuses beyond 10,000 pieces.
    return tuple(lexer.tokenize(sql))  # type: ignore[no-untyped-call]


def read_body(folder: Path, file: str) -> SqlBody:
    """Read one body below ``folder``; ValueError says in a sentence what is wrong with the file."""
    if not _BODY_FILE.fullmatch(file):
        raise ValueError(f"{file[:60]!r} is not a file below {folder} (an example is aggregates/oee_daily.sql)")
    path = folder / file
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{file} leads out of {folder}")
    if not path.is_file():
        there = (str(found.relative_to(folder)) for found in path.parent.glob("*.sql"))
        raise ValueError(f"there is no file {path}{nearest(file, there)}")
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path} has {path.stat().st_size:,} bytes: a body has a few thousand")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read ({error})") from error
    header, sql = _split(text)
    for key in ("name", "about"):
        if not header.get(key):
            raise ValueError(f'{path} lacks its header line "-- {key}: ..."')
    return SqlBody(file=file, name=header["name"], about=header["about"], source=header.get("source"), sql=sql)


def _split(text: str) -> tuple[dict[str, str], str]:
    header: dict[str, str] = {}
    lines = text.splitlines()
    while lines and (match := _HEADER.fullmatch(lines[0])):
        header[match[1]] = match[2].strip()
        lines.pop(0)
    return header, "\n".join(lines).strip().removesuffix(";").rstrip()


def check_select(sql: str, file: str) -> None:
    """ValueError, naming ``file``, says why the text is not one statement that only reads.

    It goes by words: a column of such a name (copy, call) is written in quotation marks.
    """
    statements = [text for text in sqlparse.split(sql) if without_comments(text)]
    if len(statements) != 1:
        raise ValueError(f"{file} holds {len(statements)} statements where one SELECT belongs")
    _check_reads(_QUOTED.sub("''", without_comments(sql)), _CHANGES, file)


def _check_reads(bare: str, changes: re.Pattern[str], what: str) -> None:
    """ValueError where a text without strings and comments is no SELECT, or holds a word that changes something."""
    first = bare.split(None, 1)[0].upper()
    if first not in ("SELECT", "WITH"):
        raise ValueError(f"{what} starts with {first[:20]!r}: its body must be a SELECT")
    changing = changes.search(bare)
    if changing:
        raise ValueError(f"{what} holds {changing[changing.lastindex or 0].upper()}: its body must only read")


@lru_cache(maxsize=64)
def _select(body: SqlBody) -> SqlBody:
    check_select(body.sql, body.file)
    return body


def _procedure(body: SqlBody) -> SqlBody:
    match = _PROCEDURE.fullmatch(body.sql)
    if match is None or match["quote"] in match["body"]:
        raise ValueError(
            f"{body.file} must hold one CREATE OR REPLACE PROCEDURE schema.name(job_id integer, config jsonb) "
            "LANGUAGE plpgsql AS $procedure$ ... $procedure$"
        )
    return body


def written_out(sql: str, *, name: str, source: str | None) -> SqlBody:
    """A SELECT that stands in the policy itself, as a body."""
    sql = sql.strip().removesuffix(";").rstrip()
    mark = hashlib.sha256(sql.encode()).hexdigest()[:8]
    about = f"{name} as the policy set writes it out."
    return SqlBody(file=f"its own text {mark}", name=name, about=about, sql=sql, source=source)


def _check_plain(sql: str) -> None:
    """ValueError says what of a written-out SELECT might be read in two ways, or would change something.

    Stricter than ``check_select``: whoever edits a policy set in the console may not run SQL of their own by it.
    """
    at, bare = 0, []
    while at < len(sql):
        match = _PLAIN_PIECE.match(sql, at)
        if match is None:
            raise ValueError(
                f"{sql[at : at + 20]!r} does not belong into a SELECT of a policy set: no semicolon, no comment, no "
                "backslash and no dollar quote"
            )
        at = match.end()
        bare.append("''" if match[0][0] in "'\"" else match[0])
    _check_reads("".join(bare), _CHANGING_CTE, "it")


def _read(value: Any, info: ValidationInfo) -> SqlBody:
    if isinstance(value, SqlBody):
        return value
    if not isinstance(value, str):
        raise ValueError('must be the name of a file (an example is "aggregates/oee_daily.sql")')  # noqa: TRY004
    body = read_body((info.context or {}).get("sql_folder", paths.SQL), value)
    owner = info.data.get("name")
    if owner is not None and body.name != owner:
        raise ValueError(f"{body.file} says in its header that it is {body.name}, not {owner}")
    return body


def _read_select(value: Any, info: ValidationInfo) -> SqlBody:
    if isinstance(value, str) and _WRITTEN_OUT.match(value):
        if len(value) > MOST_BYTES:
            raise ValueError(f"it has {len(value):,} characters: a body has a few thousand")
        body = written_out(value, name=info.data.get("name", ""), source=info.data.get("source"))
        _check_plain(body.sql)
        return body
    return _select(_read(value, info))


def _read_procedure(value: Any, info: ValidationInfo) -> SqlBody:
    return _procedure(_read(value, info))


SelectBody = Annotated[SqlBody, BeforeValidator(_read_select)]
"""Written as the name of a file that holds one SELECT, or as that SELECT itself."""
ProcedureBody = Annotated[SqlBody, BeforeValidator(_read_procedure)]
"""Written as the name of a file that creates one procedure for a user job."""
