"""The button on the scorecard and the overview: the months that there are, and the file behind it."""

import pytest
from streamlit.testing.v1 import AppTest

from ms5ops import paths
from ms5ops.access.roles import Actor
from ms5ops.ui import readings, report_parts, scorecard_parts
from tests.reports.conftest import MONTH, Site

pytestmark = pytest.mark.xdist_group("reports")


def opened(page: str) -> AppTest:
    for cache in (scorecard_parts._read, readings._read, report_parts._months):
        cache.clear()
    test = AppTest.from_file(str(paths.PROJECT / "ms5ops" / "ui" / "navigation.py"), default_timeout=60)
    test.switch_page(str(paths.PROJECT / "pages" / f"{page}.py"))
    return test.run()


@pytest.mark.parametrize("name", ["scorecard", "overview"])
def test_the_months_are_those_of_the_history_the_newest_first(here: Site, name: str) -> None:
    page = opened(name)
    assert not page.exception, page.exception
    months = page.selectbox(key="report_month")
    assert months.options == [MONTH.title, MONTH.before.title, MONTH.before.before.title]
    assert f"python -m ms5ops report --month {MONTH.name} --environment sandbox" in [one.value for one in page.code]


def test_the_file_is_the_report_for_whoever_looks(here: Site) -> None:
    found = readings.open_environment(None)
    html = report_parts._html(found, MONTH.name, Actor("vera", "viewer"))
    assert f"TimescaleDB in {MONTH.title}: sandbox" in html
    assert "<td>metric_hist</td>" in html
    assert "may not read the audit log" in html
    assert "may not read the audit log" not in report_parts._html(found, MONTH.name, Actor("dora", "dba"))


def test_without_a_history_it_says_how_to_begin(
    here: Site, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("MS5OPS_HISTORY", str(tmp_path_factory.mktemp("none") / "history.duckdb"))
    page = opened("scorecard")
    assert not page.exception, page.exception
    assert any("Nothing is stored yet." in str(one.value) for one in page.markdown)
