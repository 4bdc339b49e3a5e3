"""A database with none of MS5.0's tables: what every command and page says of it, and where that leads."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from ms5ops import paths
from ms5ops.cli import app
from ms5ops.database import Database, Target
from ms5ops.errors import RolloutError
from ms5ops.sandbox import process
from ms5ops.ui import readings, scorecard_parts
from ms5ops.ui.absence_banner import SAID_THERE
from tests.conftest import Sandboxes
from tests.control.conftest import use

SHOP = [
    "CREATE SCHEMA shop",
    'CREATE TABLE shop.conditions ("time" timestamptz NOT NULL, device_id integer NOT NULL, temperature real)',
    "SELECT create_hypertable('shop.conditions', 'time', chunk_time_interval => interval '7 days')",
    "INSERT INTO shop.conditions SELECT now() - n * interval '1 hour', n % 4, n FROM generate_series(1, 300) n",
    "ALTER TABLE shop.conditions SET (timescaledb.compress, timescaledb.compress_segmentby = 'device_id',"
    " timescaledb.compress_orderby = '\"time\" DESC')",
    "SELECT add_compression_policy('shop.conditions', interval '30 days')",
    "ANALYZE shop.conditions",
]
INDEX = """
[indexes.idx_conditions_device]
table = "conditions"
columns = ["device_id", "time DESC"]
purpose = "The newest of one device."
"""
MS5_WORDS = ("MS5.0", "Phase 4", "telemetry tables", "five tables", "metric_hist")


@pytest.fixture(scope="module")
def engine(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("shop") / "sandbox"
    target = sandboxes.start(folder).target
    database = Database(target, "write")
    for statement in SHOP:
        database.execute([statement])
    database.close()
    yield target
    process.stop(folder)


@pytest.fixture
def shop(engine: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The engine as a server of one's own, named by variables; its state folder is new for every test."""
    use(tmp_path, monkeypatch.setenv, monkeypatch.delenv)
    variables = {
        "HOST": engine.host, "PORT": str(engine.port), "NAME": engine.database, "USER": engine.user, "SCHEMA": "shop",
        "PASSWORD": engine.password.get_secret_value() if engine.password else "",
    }  # fmt: skip
    for name, value in variables.items():
        monkeypatch.setenv(f"DB_{name}", value)
    for cache in (readings._read, scorecard_parts._read):
        cache.clear()
    return tmp_path


def ran(*words: str, code: int = 0) -> str:
    answer = CliRunner(env={"COLUMNS": "400", "NO_COLOR": "1"}).invoke(app, list(words))
    assert answer.exit_code == code, answer.output
    return answer.output


def adopted(folder: Path, more: str = "") -> None:
    """The set for what the engine has is in force."""
    file = folder / "shop.toml"
    ran("policy", "adopt", "--out", str(file))
    file.write_text(file.read_text(encoding="utf-8") + more, encoding="utf-8")
    ran("policy", "save", str(file), "--comment", "As found", "--use")


def opened(page: str) -> str:
    """What a page says, in one text."""
    test = AppTest.from_file(str(paths.PROJECT / "ms5ops" / "ui" / "navigation.py"), default_timeout=60)
    test.switch_page(str(paths.PROJECT / "pages" / f"{page}.py"))
    test.run()
    assert not test.exception, test.exception
    kinds = ("title", "markdown", "caption", "subheader", "success", "info", "warning", "error")
    words = [str(one.value) for kind in kinds for one in getattr(test, kind)]
    figures = [f"{one.label} {one.value} {one.delta}" for one in test.metric]
    return "\n".join([*words, *figures]).replace("\\", "")  # marks of markdown are kept from being read as such


def test_status_lists_what_is_there_and_leads_to_a_set_for_it(shop: Path) -> None:
    told = ran("status")
    assert "The policy set is about other tables." in told
    assert "It has 1 hypertable of its own: conditions." in told
    assert "python -m ms5ops policy adopt --out FILE" in told
    assert " missing " not in told


def test_nothing_is_planned_checked_or_kept_for_tables_that_are_not_there(shop: Path) -> None:
    for command in (["plan"], ["plans", "--save"], ["check", "post"]):
        refused = CliRunner().invoke(app, command).exception
        assert isinstance(refused, RolloutError)
        assert refused.happened.startswith("The schema shop has none of the policy set's tables")
        assert "policy adopt" in refused.next_step
    assert "policy adopt" in ran("check", "pre", code=1)
    stored = ran("collect")
    assert "1 tables" in stored
    assert "Not read: checks. The schema shop has none" in stored
    (checks,) = [one for one in json.loads(ran("scorecard", "--json"))["criteria"] if one["key"] == "checks"]
    assert checks["status"] == "not measured yet"
    assert "none of the policy set's tables" in checks["reason"]


@pytest.mark.parametrize("page", ["overview", "storage", "indexes", "aggregates", "rollout"])
def test_every_page_says_what_is_there_and_where_to_go(shop: Path, page: str) -> None:
    told = opened(page)
    assert "The policy set is about other tables" in told
    assert "policy adopt" in told
    assert not [one for one in MS5_WORDS[:4] if one in told]
    assert (page.capitalize() in SAID_THERE) is (page in ("overview", "rollout"))


def test_with_a_set_of_its_own_no_page_speaks_of_other_tables(shop: Path) -> None:
    adopted(shop)
    assert "Nothing is to do." in ran("plan")
    told = ran("status")
    assert "ok  The policy set's tables are hypertables with its chunk length" in told
    for page in ("overview", "storage", "compression", "indexes", "aggregates", "health", "scorecard", "rollout"):
        told += opened(page)
    assert not [one for one in (*MS5_WORDS, "policy adopt", "at least 15") if one in told]


def test_indexes_are_those_that_the_set_asks_for(shop: Path) -> None:
    adopted(shop, INDEX)
    told = opened("indexes")
    assert "1 index of the policy set is missing: idx_conditions_device." in told
    assert "Serving queries 1 0 of the policy set's 1" in told


def test_a_snapshot_taken_under_another_set_tells_of_no_table_that_has_gone(shop: Path) -> None:
    ran("collect")
    adopted(shop)
    assert "Nothing that counts: no table grew or shrank" in opened("overview")


def test_a_wrong_schema_is_named_with_the_right_one(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adopted(shop)
    monkeypatch.setenv("DB_SCHEMA", "public")
    told = ran("status")
    assert "in other schemas: shop (1 hypertable)" in told
    assert "Set the environment's schema" in told
