"""From a real journal, a real server and a real history to the scorecard: command line and page."""

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from ms5ops import paths
from ms5ops.cli import app
from ms5ops.ui import readings, scorecard_parts
from ms5ops.ui.links import TITLES
from ms5ops.ui.scorecard_parts import BADGES
from tests.scorecard.conftest import Site

pytestmark = pytest.mark.xdist_group("scorecard")


def criteria() -> dict[str, dict[str, Any]]:
    answer = CliRunner().invoke(app, ["scorecard", "--json"])
    assert answer.exit_code == 0, answer.output
    return {one["key"]: one for one in json.loads(answer.stdout)["criteria"]}


def figure(site: Site, run: int, benchmark: str, name: str) -> float:
    return float(getattr(next(one for one in site.runs[run].results if one.benchmark == benchmark), name))


def test_every_value_is_that_of_its_record(here: Site) -> None:
    found = criteria()
    assert {key: one["status"] for key, one in found.items()} == {
        "steps": "not met", "checks": "not met", "targets": "not measured yet", "failures": "met",
        "dashboards_down": "met", "growth_down": "met", "degradation": "met", "alerts": "not measured yet",
        "dashboards": "met", "reports": "met", "cost": "met", "double_volume": "not measured yet",
    }  # fmt: skip
    assert {one["origin"] for one in found.values()} == {"simulated", None}
    steps = found["steps"]
    assert steps["value"] == 1
    assert steps["reason"] == "1 step of deployment 2 met an error, and it did not end."
    assert steps["details"][0].startswith("04.wrong: ")
    assert found["dashboards"]["value"] == figure(here, 2, "plant_dashboard", "p95")
    assert found["dashboards"]["evidence"][0]["id"] == here.runs[2].header.run_id
    assert found["reports"]["value"] == figure(here, 2, "monthly_report", "p95")
    was = sum(figure(here, run, "plant_dashboard", "median") for run in (0, 1)) / 2
    assert found["dashboards_down"]["value"] == pytest.approx(1 - figure(here, 2, "plant_dashboard", "median") / was)
    assert found["growth_down"]["value"] == pytest.approx(1 - (1 / 30) / (10 / 30))
    assert found["failures"]["value"] == pytest.approx(200 / 20_200 * 1000)
    assert found["cost"]["value"] == pytest.approx((32 - 9) * 2.0)
    assert found["degradation"]["value"] == 0
    month = here.runs[2].header.started_at.strftime("%Y-%m")
    assert found["degradation"]["trend"]["points"] == [{"month": month, "value": 0}]
    assert "Many clients" in found["targets"]["reason"]


def test_the_table_names_what_is_measured_how(here: Site) -> None:
    answer = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["scorecard"])
    assert answer.exit_code == 0
    assert "7 of 12 success criteria are met. Not met: The rollout ran without an error" in answer.stdout
    assert "python -m ms5ops alerts test" in answer.stdout
    assert f"python -m ms5ops benchmark show {here.runs[2].header.run_id}" in answer.stdout


def test_without_a_price_and_without_a_history(
    here: Site, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    empty = tmp_path_factory.mktemp("empty")
    monkeypatch.setenv("MS5OPS_CONFIG", str(empty / "absent.toml"))
    assert criteria()["cost"]["status"] == "not measured yet"
    monkeypatch.setenv("MS5OPS_HISTORY", str(empty / "history.duckdb"))
    found = criteria()
    assert {key for key, one in found.items() if one["status"] != "not measured yet"} == {"steps", "checks"}


def opened() -> AppTest:
    for cache in (scorecard_parts._read, readings._read):
        cache.clear()
    test = AppTest.from_file(str(paths.PROJECT / "ms5ops" / "ui" / "navigation.py"), default_timeout=60)
    test.switch_page(str(paths.PROJECT / "pages" / "scorecard.py"))
    return test.run()


def test_the_page_says_it_in_a_sentence_three_counts_and_a_row_each(here: Site) -> None:
    page = opened()
    assert not page.exception, page.exception
    assert page.warning[0].value.startswith("**7 of 12 success criteria are met")
    assert [(one.label, one.value) for one in page.metric] == [
        ("Met", "7 of 12"), ("Not met", "2 of 12"), ("Not measured yet", "3 of 12"),
    ]  # fmt: skip
    rows = [str(one.value) for one in page.markdown if "-badge[" in str(one.value) and "**" in str(one.value)]
    assert len(rows) == 12
    assert [sum(f":{colour}-badge" in row for row in rows) for colour, _ in BADGES.values()] == [7, 2, 3]
    assert [one.value for one in page.subheader] == ["Technical", "Operational", "Business"]
    assert any("46.00 EUR saved a month" in str(one.value) for one in page.markdown)
    assert f"python -m ms5ops benchmark show {here.runs[2].header.run_id}" in [one.value for one in page.code]
    assert "scorecard" in TITLES


def test_the_page_without_a_readable_history_says_why(
    here: Site, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    damaged = tmp_path_factory.mktemp("damaged") / "history.duckdb"
    damaged.write_text("no database")
    monkeypatch.setenv("MS5OPS_HISTORY", str(damaged))
    page = opened()
    assert any("The scorecard could not be read." in str(one.value) for one in page.error)
    assert not page.exception
