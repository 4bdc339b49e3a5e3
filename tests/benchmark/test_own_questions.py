"""Questions of one's own: the documented folder is asked of other tables; what is wrong in a folder is told."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from ms5ops import paths
from ms5ops.benchmark.anchor import choose
from ms5ops.benchmark.compare import Side, compare
from ms5ops.benchmark.comparison_summary import headline
from ms5ops.benchmark.options import PARTS, Site
from ms5ops.benchmark.records import GROUPS, Result, Run
from ms5ops.benchmark.run_summary import expected_groups
from ms5ops.benchmark.runner import run_suite
from ms5ops.benchmark.store import load_results, run_headers
from ms5ops.benchmark.suite_files import RESERVED, load_suite
from ms5ops.cli import app
from ms5ops.database import Database, Target
from ms5ops.environments import Connected
from ms5ops.errors import BenchmarkError, Ms5opsError
from ms5ops.history import History
from ms5ops.sandbox import process
from ms5ops.scorecard.material import PROMISED, promised_by
from ms5ops.ui import benchmark_readings
from tests.benchmark.example_runs import example_run
from tests.benchmark.own_questions import HOURLY, NO_HOURLY, make_conditions, write_questions
from tests.benchmark.sites import tiny
from tests.conftest import Sandboxes

pytestmark = pytest.mark.xdist_group("own questions")  # one engine, whose aggregate comes and goes

NOW = datetime(2026, 3, 11, tzinfo=UTC)
NEWEST = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
QUESTIONS = {"last_hour_of_device", "hours_of_week", "hours_of_week_aggregate", "overview"}


@pytest.fixture(scope="module")
def target(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("plant") / "sandbox"
    found = sandboxes.start(folder).target
    database = Database(found, "write")
    make_conditions(database)
    database.close()
    yield found
    process.stop(folder)


@pytest.fixture
def write(target: Target) -> Iterator[Database]:
    database = Database(target, "write")
    yield database
    database.close()


@pytest.fixture
def hourly(write: Database) -> Iterator[None]:
    for statement in HOURLY:
        write.execute(statement)
    yield
    write.execute(NO_HOURLY)


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return write_questions(tmp_path / "questions")


@pytest.fixture
def measured(target: Target, questions: Path) -> Iterator[Callable[..., Run]]:
    """Measures the folder as it is now."""
    connected = Connected("plant", Database(target), "measured", False, "always", "public", benchmarks=questions)

    def measure(**options: Any) -> Run:
        return run_suite(Site(connected, None, "the plant", suite=load_suite(questions)), tiny(**options))

    yield measure
    connected.database.close()


def by_name(run: Run) -> dict[str, Result]:
    return {result.benchmark: result for result in run.results}


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


# Asked of another shop's tables ------------------------------------------------------------------------------


@pytest.mark.usefixtures("hourly")
def test_the_documented_questions_are_measured(measured: Callable[..., Run], questions: Path) -> None:
    run = measured()
    results = by_name(run)
    assert {name: result.outcome for name, result in results.items()} == dict.fromkeys(QUESTIONS, "ok")
    assert run.header.anchor == NEWEST
    assert run.header.suite_hash == load_suite(questions).suite_hash != load_suite().suite_hash
    device = results["last_hour_of_device"]
    assert device.details["asked_of"] == {"device_id": "device 2"}
    assert (device.rows, device.target_p95, device.group) == (46 + 6, 100, "recent")
    assert 'FROM "public".conditions' in device.details["text"]
    assert results["overview"].details["panels"]["last_day"]["variant"] == "conditions_hourly"
    assert "asked_of" not in results["overview"].details
    surroundings = run.header.surroundings
    assert surroundings is not None
    assert surroundings.rows is not None  # of its hypertable: the policy set names none of its tables
    assert surroundings.rows > 4_000


def test_without_its_aggregate_raw_data_are_asked_and_the_rest_says_what_it_needs(measured: Callable[..., Run]) -> None:
    results = by_name(measured())
    absent = results["hours_of_week_aggregate"]
    assert (absent.outcome, absent.median) == ("not there", None)
    assert absent.message == "The database has no conditions_hourly (yet): the header says that it needs it."
    assert results["overview"].details["panels"]["last_day"]["variant"] == "raw"


def test_writing_is_left_out_and_says_why(measured: Callable[..., Run], questions: Path) -> None:
    results = by_name(measured(parts=PARTS))
    told = (
        f"The questions of plant are its own ({questions}), and writing is measured with rows of MS5.0's metric_hist."
    )
    for name in ("ingest_batch_200", "load_2x_ingest", "load_2x_dashboards", "load_headroom"):
        assert results[name].outcome == "not there"
        assert str(results[name].message).startswith(told)
    clients = results["concurrency_3"]
    assert (clients.outcome, clients.details["mix"]) == ("ok", ["last_hour_of_device"])
    assert clients.text_hash == load_suite(questions).mix_hash is not None
    others = {result.benchmark for result in results.values() if result.kind not in ("query", "dashboard")}
    assert len(others) == 9
    assert [name for name in others if not RESERVED.fullmatch(name)] == []  # so that no question is called so


@pytest.mark.usefixtures("hourly")
def test_what_does_not_fit_its_header_fails_and_never_gives_a_time(
    measured: Callable[..., Run], questions: Path
) -> None:
    change(questions / "last_hour_of_device.sql", "temperature float", "warmth float")
    for name in ("hours_of_week.sql", "hours_of_week_aggregate.sql"):
        change(questions / name, "device_id id", "device_id int")
    results = by_name(measured())
    wrong = results["last_hour_of_device"]
    assert wrong.outcome == "failed"
    assert wrong.message == "Its columns are time, temperature, and its header names time, warmth."
    assert results["hours_of_week"].outcome == "different answer"
    assert "cannot be told apart by bucket" in str(results["hours_of_week"].message)


def test_a_choice_that_finds_nothing_leaves_out_what_asks_for_it(measured: Callable[..., Run], questions: Path) -> None:
    change(questions / "choices/busiest_device.sql", "GROUP BY", "AND device_id > 99 GROUP BY")
    results = by_name(measured())
    assert results["last_hour_of_device"].outcome == "not there"
    assert results["last_hour_of_device"].message == "busiest_device.sql found no device_id to ask about."
    assert results["overview"].outcome == "ok"


CHOICES_THAT_FAIL = [
    ("newest_sample", "max(time)", "max(time) FILTER (WHERE device_id > 99)", "holds no samples"),
    ("newest_sample", "max(time)", "max(time)::timestamp", "which is no instant with a time zone"),
    ("newest_sample", ".conditions", ".condition", "newest_sample.sql cannot be asked. An object is missing"),
    ("newest_sample", "max(time)", "max(tme)", "Correct the file"),
    ("newest_sample", "AS newest", "AS latest", "gives no column newest"),
    ("busiest_device", "SELECT device_id,", "SELECT '{}'::jsonb AS device_id,", "gives a json document"),
]


def test_a_choice_that_cannot_be_had_is_named(target: Target, questions: Path) -> None:
    database = Database(target)
    for name, old, new, says in CHOICES_THAT_FAIL:
        file = questions / "choices" / f"{name}.sql"
        change(file, old, new)
        with pytest.raises(BenchmarkError) as caught:
            choose(load_suite(questions), database, "public", None, NOW)
        assert says in str(caught.value)
        assert file.name in str(caught.value)
        change(file, new, old)
    database.close()


def test_the_questions_that_come_with_ms5ops_say_where_to_go_on_with_other_tables(target: Target) -> None:
    database = Database(target)
    with pytest.raises(BenchmarkError, match=r"name a folder of questions for your own tables \(docs/benchmarks.md\)"):
        choose(load_suite(), database, "public", None, NOW)
    database.close()


# From the command line to the pages --------------------------------------------------------------------------


@pytest.fixture
def plant(target: Target, questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """An environment of the console with these questions; its history, still empty."""
    password = target.password.get_secret_value() if target.password else ""
    (tmp_path / "ms5ops.toml").write_text(
        f'[environments.plant]\nhost = "{target.host}"\nport = {target.port}\ndatabase = "{target.database}"\n'
        f'schema = "public"\nread = {{ user = "{target.user}", password_env = "PLANT_PASSWORD" }}\n'
        'sslmode = "disable"\nbenchmarks = "questions"\n'
    )
    for name in ("DB_HOST", "MS5OPS_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"CONFIG": "ms5ops.toml", "STATE": "state", "HISTORY": "history.duckdb"}.items():
        monkeypatch.setenv(f"MS5OPS_{name}", str(tmp_path / value))
    monkeypatch.setenv("PLANT_PASSWORD", password)
    monkeypatch.chdir(os.sep)  # the folder is relative to ms5ops.toml
    return History(tmp_path / "history.duckdb")


def call(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["benchmark", *arguments])
    assert done.exit_code == 0, done.output or done.exception
    return done.stdout


@pytest.mark.usefixtures("hourly")
def test_runs_are_kept_compared_and_shown(plant: History, questions: Path) -> None:
    assert {one["name"] for one in json.loads(call("suite", "--json"))["questions"]} == QUESTIONS - {"overview"}
    assert "Last hour" in call("suite", "--environment", "plant")
    call("run", "--quick", "--only", "query", "--repeat", "2")
    headers = run_headers(plant)
    assert len(headers) == 2
    assert {one.benchmark for one in load_results(plant, [headers[0].run_id])[headers[0].run_id]} == QUESTIONS
    compared = json.loads(call("compare", "previous", "latest", "--json"))
    assert {one["benchmark"] for one in compared["benchmarks"]} == QUESTIONS
    assert "not comparable" not in {one["verdict"] for one in compared["benchmarks"]}
    assert not compared["is_spoilt"]
    trends = json.loads(call("trends", "--json"))
    assert {one["benchmark"] for one in trends["series"]} == QUESTIONS

    change(questions / "overview/page.toml", "stands_for", "stand_for")
    with pytest.raises(Ms5opsError, match=r"page.toml: .* unknown key stand_for \(did you mean stands_for\?\)"):
        CliRunner().invoke(app, ["benchmark", "suite"], standalone_mode=False, catch_exceptions=False)
    broken = page()
    assert not broken.exception
    assert any("benchmark questions of this environment could not be read" in one.value for one in broken.error)
    change(questions / "overview/page.toml", "stand_for", "stands_for")
    shown = page()
    assert not shown.exception
    assert any("own questions: 3 questions and 1 dashboard in" in one.value for one in shown.caption)
    assert {one.label for one in shown.metric} == {"Last hour", "Last week", "Summaries", "Dashboards"}


def page() -> AppTest:
    for cache in (benchmark_readings._headers, benchmark_readings._suite):
        cache.clear()
    test = AppTest.from_file(str(paths.PROJECT / "ms5ops" / "ui" / "navigation.py"), default_timeout=60)
    test.switch_page(str(paths.PROJECT / "pages" / "benchmarks.py"))
    return test.run()


# Told apart from other suites --------------------------------------------------------------------------------


def test_runs_of_two_suites_say_that_they_have_no_question_in_common() -> None:
    plant, other = (
        replace(
            run, results=tuple(replace(one, text_hash=f"{name} {one.benchmark}") for one in run.results)
        )
        for name, run in (("plant", example_run("a", suite_hash="plant")), ("ms5", example_run("b", suite_hash="ms5")))
    )  # fmt: skip
    found = compare(Side("the plant", (plant,)), Side("MS5.0", (other,)))
    assert found.is_spoilt
    assert "Nothing could be compared: the two sides were asked different questions" in headline(found).text
    (told,) = (one for one in found.differences if one.weight == "spoils")
    assert told.subject == "Texts of the benchmarks (fingerprint)"
    assert {one.verdict for one in found.benchmarks} == {"not comparable"}
    again = compare(
        Side("the plant", (plant,)), Side("later", (replace(plant, header=replace(plant.header, run_id="x")),))
    )
    assert not again.is_spoilt


def test_what_an_old_run_was_asked_of_is_compared_with_a_new_one() -> None:
    def reason(before: dict[str, Any], after: dict[str, Any]) -> str:
        def side(label: str, details: dict[str, Any]) -> Side:
            run = example_run(label)
            return Side(label, (replace(run, results=(replace(run.results[0], details=details),)),))

        return compare(side("a", before), side("b", after)).benchmarks[0].reason

    new = {"asked_of": {"metric": "PRESS-01 temperature"}}
    assert "another" not in reason({"metric": "PRESS-01 temperature", "line": "L1"}, new)
    assert "another metric: PRESS-02 force before, PRESS-01 temperature after" in reason(
        {"metric": "PRESS-02 force"}, new
    )


def test_groups_that_nobody_asks_of_are_not_missed(questions: Path) -> None:
    suite = load_suite(questions)
    assert suite.groups == ("recent", "historical", "aggregate", "dashboard")
    header = example_run(suite_hash=suite.suite_hash).header
    assert expected_groups(header, suite) == suite.groups
    assert expected_groups(replace(header, suite_hash="another"), suite) == ()
    assert expected_groups(header, load_suite()) == expected_groups(header, None) == GROUPS
    assert promised_by(suite) == ("recent", "historical", "aggregate", "concurrency", "job latency")
    assert promised_by(load_suite()) == PROMISED


# What is wrong in a folder -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("hours_of_week", "-- group:", "-- gruop:", r"hours_of_week.sql, line 3: gruop .* \(did you mean group\?\)"),
        ("hours_of_week", "-- about:", "-- params:", r"line 7: params stands in its header twice"),
        ("hours_of_week", "-- budget_ms: 2000", "-- budget_ms: 2 s", r"line 9: budget_ms is '2 s'"),
        ("hours_of_week", "-- stands_for: The week's chart.\n", "", r'lacks "-- stands_for: ..."'),
        ("hours_of_week", "historical", "historic", r"no group 'historic' \(did you mean historical\?\)"),
        ("hours_of_week", "p95_ms: 2000", "p95_ms: -1", "target_p95_ms is '-1'"),
        ("hours_of_week", "p95_ms: 2000", "p95_ms: nan", "target_p95_ms is 'nan'"),
        ("hours_of_week", "name: hours", "name: days", "says in its header that it is 'days_of_week'"),
        ("hours_of_week", ", this_hour\n", ", this_hr\n", r"parameter this_hr, which nothing gives \(did you mean"),
        ("hours_of_week", "params: week_before_hour, ", "params: ", "holds :week_before_hour, which is not among"),
        ("hours_of_week", "ORDER BY", "; DELETE FROM x; --", "holds 2 statements"),
        ("hours_of_week", "SELECT", "UPDATE x SET y = 1 --", "starts with 'UPDATE'"),
        ("hours_of_week", "SELECT", "WITH gone AS (DELETE FROM x RETURNING *) SELECT", "holds DELETE"),
        ("hours_of_week", "-- twin:", "-- timescaledb: >=2.13\n-- twin:", "bound to some versions"),
        ("hours_of_week", "-- twin: hours_of_week_aggregate", "-- twin: gone", "names the twin gone"),
        ("hours_of_week", "historical", "aggregate", "one asks raw data and one an aggregate"),
        ("hours_of_week", "bucket timestamptz", "bucket date", "have other columns"),
        ("last_hour_of_device", "many_clients: yes", "many_clients: no", "many_clients can only be yes"),
        ("overview/last_day.raw", "-- params:", "-- needs: conditions_hourly\n-- params:", "need the same"),
        ("overview/last_day.raw", "device_id id; ", "", "differ in columns"),
        ("overview/last_day", "-- params:", "-- group: recent\n-- params:", "line 4: group is no key"),
        ("choices/newest_sample", "columns: newest", "columns: latest", "does not name the column newest"),
        ("choices/newest_sample", "-- col", "-- params: anchor\n-- col", "anchor, which nothing gives"),
        ("choices/busiest_device", "device_id id", "hour_before id", "gives hour_before, and so does every run"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_named_with_what_is_wrong(questions: Path, file: str, old: str, new: str, says: str) -> None:
    change(questions / f"{file}.sql", old, new)
    with pytest.raises(Ms5opsError, match=says) as caught:
        load_suite(questions)
    assert str(questions) in caught.value.happened or "twin" in caught.value.happened
    assert caught.value.next_step


def test_a_folder_that_lacks_something_says_what(questions: Path, tmp_path: Path) -> None:
    def refused(says: str) -> None:
        with pytest.raises(Ms5opsError, match=says):
            load_suite(questions)

    newest = questions / "choices/newest_sample.sql"
    newest.rename(tmp_path / "kept")
    refused("lacks choices/newest_sample.sql")
    (tmp_path / "kept").rename(newest)
    page_file = questions / "overview/page.toml"
    page_file.rename(tmp_path / "kept")
    refused("holds panels, but no page.toml")
    (tmp_path / "kept").rename(page_file)
    (questions / "overview").rename(questions / "hours_of_week")
    refused("Two benchmarks are called hours_of_week")
    (questions / "hours_of_week").rename(questions / "load_headroom")
    refused("Another part of a run is called load_headroom")
    (questions / "load_headroom").rename(questions / "overview")
    assert len(load_suite(questions).questions) == 3
    with pytest.raises(BenchmarkError, match="There is no folder"):
        load_suite(tmp_path / "gone")


def test_files_are_read_from_the_folder_alone_and_never_by_surprise(questions: Path, tmp_path: Path) -> None:
    file = questions / "extra.sql"

    def refused(says: str) -> None:
        with pytest.raises(Ms5opsError, match=says):
            load_suite(questions)
        file.unlink()

    (tmp_path / "elsewhere.sql").write_text("-- name: elsewhere\n")
    file.symlink_to(tmp_path / "elsewhere.sql")
    refused("link that leads out of its folder")
    file.symlink_to(file)
    refused("link that leads out of its folder")
    os.mkfifo(file)
    refused("is no file")
    file.write_bytes(b"-- name: extra\n-- about: caf\xe9\n")
    refused("no text in UTF-8")
    file.write_text("-- about: x\n" * 40_000)
    refused("a query has a few thousand")
    (questions / ".#extra.sql").write_text("an editor's")
    (questions / "notes").mkdir()
    assert load_suite(questions).folder == questions


def test_columns_that_are_words_of_changing_statements_can_be_quoted(questions: Path) -> None:
    change(questions / "last_hour_of_device.sql", "time, temperature\n", "time, temperature, 'call' AS \"copy\"\n")
    change(questions / "last_hour_of_device.sql", "temperature float", "temperature float; copy text")
    assert "copy" in load_suite(questions).of_many_clients[0].variants[0].columns
