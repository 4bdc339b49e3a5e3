"""Names and values as SQL text, whatever characters they have."""

from collections.abc import Iterable
from zlib import crc32

NAME_BYTES = 63
"""The longest name that PostgreSQL keeps (NAMEDATALEN - 1)."""


def identifier(name: str) -> str:
    """A name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def qualified(schema: str, name: str) -> str:
    """``schema.name``, both quoted."""
    return f"{identifier(schema)}.{identifier(name)}"


def identifiers(names: Iterable[str], alias: str = "") -> str:
    """Quoted names, comma-separated, each behind ``alias.`` where there is one."""
    prefix = f"{alias}." if alias else ""
    return ", ".join(f"{prefix}{identifier(name)}" for name in names)


def literal(value: str) -> str:
    """A value in single quotes (standard_conforming_strings is on since PostgreSQL 9.1)."""
    return "'" + value.replace("'", "''") + "'"


def role(name: str | None) -> str:
    """A role as the target of a grant; None is everybody."""
    return "PUBLIC" if name is None else identifier(name)


def suffixed(name: str, suffix: str) -> str:
    """``name`` with a suffix, cut to the length that PostgreSQL keeps, and then made unique by a checksum."""
    if len((name + suffix).encode()) <= NAME_BYTES:
        return name + suffix
    mark = f"_{crc32(name.encode()):08x}{suffix}"
    kept = name.encode()[: NAME_BYTES - len(mark.encode())].decode(errors="ignore")
    return kept + mark
