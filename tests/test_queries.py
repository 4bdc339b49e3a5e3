from collections.abc import Iterator
from pathlib import Path

import pytest

from ms5ops import paths, queries
from ms5ops.errors import QueryMissing
from ms5ops.queries import parse_version, read_query

HEADER = """-- name: {name}
-- about: x
-- timescaledb: {versions}
-- params: schema, table
-- columns: a bytes; b timestamptz
-- budget_ms: 5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "observe").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "SQL", tmp_path)
        queries.catalogue.cache_clear()
        yield tmp_path / "observe"
    queries.catalogue.cache_clear()  # or the tests that follow find the queries of this one


def write(folder: Path, file: str, versions: str, name: str = "chunks") -> None:
    (folder / file).write_text(
        HEADER.format(name=name, versions=versions) + f"-- a comment of the query\nSELECT '{file}';\n"
    )


def test_the_newest_variant_that_fits_is_used(folder: Path) -> None:
    write(folder, "chunks.sql", ">=2.11, <2.18")
    write(folder, "chunks.2.18.sql", ">=2.18, <2.29")
    write(folder, "chunks.public.sql", ">=2.11")
    chosen = {
        version: queries.query("observe", "chunks", parse_version(version)).file.name
        for version in ("2.11.2", "2.18.0", "2.28.3", "2.29.0")
    }
    assert chosen == {
        "2.11.2": "chunks.sql",
        "2.18.0": "chunks.2.18.sql",
        "2.28.3": "chunks.2.18.sql",
        "2.29.0": "chunks.public.sql",
    }


def test_none_that_fits_is_an_error(folder: Path) -> None:
    write(folder, "chunks.sql", ">=2.18")
    with pytest.raises(QueryMissing, match=r"no query 'chunks' for TimescaleDB 2\.11\.2"):
        queries.query("observe", "chunks", (2, 11, 2))


def test_a_header_is_read_and_the_rest_is_the_query(folder: Path) -> None:
    write(folder, "chunks.sql", ">=2.11, <2.29")
    query = read_query(folder / "chunks.sql")
    assert query.params == ("schema", "table")
    assert dict(query.columns) == {"a": "bytes", "b": "timestamptz"}
    assert (query.at_least, query.below) == ((2, 11, 0), (2, 29, 0))
    assert query.sql == "-- a comment of the query\nSELECT 'chunks.sql'"


@pytest.mark.parametrize(
    "broken",
    [
        "-- name: x\nSELECT 1",
        HEADER.format(name="x", versions="2.11") + "SELECT 1",
        "-- nme: x\n" + HEADER.format(name="x", versions=">=2.11"),
    ],
)
def test_a_wrong_header_is_refused(folder: Path, broken: str) -> None:
    (folder / "x.sql").write_text(broken)
    with pytest.raises(QueryMissing, match=r"x\.sql"):
        read_query(folder / "x.sql")


@pytest.mark.parametrize(("text", "version"), [("2.23.0-dev", (2, 23, 0)), ("2.11", (2, 11, 0)), ("17.5", (17, 5, 0))])
def test_versions(text: str, version: queries.Version) -> None:
    assert parse_version(text) == version


def test_no_version() -> None:
    with pytest.raises(QueryMissing):
        parse_version("newest")
