"""Every query file runs on every server it is written for, gives the columns its header names, and is used."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from ms5ops import paths, queries
from ms5ops.database import Database
from ms5ops.errors import QueryMissing
from ms5ops.observe.server import FOLDER, NO_EXTENSION, Server, connect_server, quoted
from ms5ops.observe.settings import NAMES
from ms5ops.observe.tables import expected_tables
from ms5ops.policy.document import default_policy
from ms5ops.queries import Query

VERSIONS = [(2, minor, 0) for minor in range(11, 31)]
METRICS = ("factory_telemetry", "metric_hist")
NEEDS_STATEMENTS = "statements"


def parameters(found: Query) -> dict[str, object]:
    now = datetime.now(UTC)
    values: dict[str, object] = {
        "schema": METRICS[0],
        "table": METRICS[1],
        "tables": [one.name for one in expected_tables(default_policy())],
        "time_columns": [table.time_column for table in expected_tables(default_policy())],
        "names": list(NAMES),
        "schemas": [METRICS[0]],
        "columns": ["metric_def_id"],
        "limit": 10,
        "since": now - timedelta(days=10),
        "until": now,
        "exact_below": 5_000,
    }
    if found.name == "segment_statistics":
        values["tables"] = [METRICS[1]]
    return {name: values[name] for name in found.params}


def run(server: Server, found: Query) -> None:
    sql = found.sql
    for place, name in {
        "table": quoted(*METRICS),
        "time_column": quoted("ts"),
        "statements": quoted(server.statements_schema or "public", "pg_stat_statements"),
    }.items():
        sql = sql.replace("{" + place + "}", name)
    frame = server.database.frame(sql, parameters(found))
    assert list(frame.columns) == list(found.columns), found.file.name


def run_all(server: Server) -> set[str]:
    ran = set()
    for found in queries.catalogue(FOLDER):
        if found.fits(server.version) and (found.name != NEEDS_STATEMENTS or server.statements_version):
            run(server, found)
            ran.add(found.file.name)
    return ran


def test_every_fitting_file_runs_on_the_sandbox_in_each_state(database: Database) -> None:
    assert "chunks.sql" in run_all(connect_server(database))


@pytest.mark.xdist_group("awkward")
def test_every_fitting_file_runs_on_awkward_data(awkward_engine: Server) -> None:
    assert {"chunks.public.sql", "aggregates.2.15.sql"} <= run_all(awkward_engine)


@pytest.mark.native
def test_every_fitting_file_runs_on_native_servers(awkward_native: Server) -> None:
    fitting = {found.file.name for found in queries.catalogue(FOLDER) if found.fits(awkward_native.version)}
    assert run_all(awkward_native) == fitting


def used() -> set[str]:
    code = "\n".join(file.read_text() for file in (paths.PROJECT / "ms5ops" / "observe").glob("*.py"))
    return set(re.findall(r"""(?:server\.(?:rows|frame)\(\s*|query\(FOLDER, )"(\w+)\"""", code))


def test_no_file_is_unused_and_none_is_missing() -> None:
    assert used() == {found.name for found in queries.catalogue(FOLDER)}


@pytest.mark.parametrize("version", VERSIONS, ids=queries.version_text)
def test_every_supported_version_finds_every_query(version: queries.Version) -> None:
    missing = []
    for name in used():
        try:
            queries.query(FOLDER, name, NO_EXTENSION if name == "server" else version)
        except QueryMissing:
            missing.append(name)
    # Live sizes need the internal catalogue; where that is not known, readers do without them.
    assert missing == (["live_chunk_sizes"] if version >= (2, 30, 0) else [])


def test_variants_of_a_name_agree_on_columns_and_parameters() -> None:
    by_name: dict[str, list[Query]] = {}
    for found in queries.catalogue(FOLDER):
        by_name.setdefault(found.name, []).append(found)
    for variants in by_name.values():
        assert len({(tuple(one.columns.items()), one.params) for one in variants}) == 1, variants[0].name


@pytest.mark.parametrize("found", queries.catalogue(FOLDER), ids=lambda found: found.file.name)
def test_no_page_load_asks_for_exact_sizes_or_writes(found: Query) -> None:
    assert not re.search(r"(hypertable|chunks)_detailed_size|hypertable_size|approximate_row_count", found.sql)
    assert not re.search(r"\b(insert|update|delete|truncate|drop|alter|create|lock|set)\s", found.sql, re.IGNORECASE)
