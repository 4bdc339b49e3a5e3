"""Databases of a test's own on native servers."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

import pytest

from ms5ops.database import Database, Target

Edition = Literal["community", "apache"]


@contextmanager
def native_database(target: Target, *, extension: bool = True, edition: Edition | None = None) -> Iterator[Target]:
    """A fresh database on a native server, with the extension in that server's version; dropped afterwards.

    ``edition``: the one that the test is for, None where it is for any; on a server of the other one it is skipped.
    """
    admin = Database(target, "write")
    if edition not in (None, _edition(admin)):
        admin.close()
        pytest.skip(f"{target.address} is not of the {edition} edition")
    version = admin.row("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")["extversion"]
    name = f"ms5ops_test_{secrets.token_hex(4)}"
    admin.execute(f"CREATE DATABASE {name}")
    there = replace(target, database=name)
    try:
        if extension:
            owner = Database(there, "write")
            owner.execute(f"CREATE EXTENSION timescaledb VERSION '{version}'")
            owner.close()
        yield there
    finally:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        admin.close()


def _edition(server: Database) -> Edition:
    return "apache" if server.row("SHOW timescaledb.license")["timescaledb.license"] == "apache" else "community"
