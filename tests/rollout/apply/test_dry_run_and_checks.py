"""A dry run changes nothing; checks say what they found, and never take an error for an answer."""

import json
import os
import re
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ms5ops.cli import app
from ms5ops.database import Database, Target
from ms5ops.errors import BackupError
from ms5ops.observe.server import NO_EXTENSION, Server, connect_server
from ms5ops.policy.document import load_policy
from ms5ops.rollout import backup, disk, journal, latency, precheck, report
from ms5ops.rollout.check import Check, worst
from ms5ops.rollout.dry_run import dry_run
from ms5ops.rollout.executor import apply
from ms5ops.rollout.postcheck import postchecks
from ms5ops.rollout.precheck import prechecks
from ms5ops.rollout.rollback import rollback
from tests.conftest import Sandboxes
from tests.rollout.apply.handmade import VERSIONS, WHOLE, WRONG, Plan, catalogue, conditions, connected_to, index

pytestmark = pytest.mark.xdist_group("applying")


def test_a_dry_run_tries_what_it_can_says_why_not_and_changes_nothing(probe: Database) -> None:
    before = catalogue(probe)
    trial = dry_run(probe, [*WHOLE.operations[:-1], WRONG, *WHOLE.advice], embedded=True)
    results = {one.operation.key: (one.result, one.reason) for one in trial.trials}
    assert catalogue(probe) == before
    assert not journal.exists(probe)
    assert {key for key, (result, _) in results.items() if result == "works"} == {
        "04.idx_a", "02.enable", "02.policy", "05.hourly",
    }  # fmt: skip
    assert results["04.wrong"] == ("fails", "The server refused a statement: division by zero.")
    assert "piece by piece" in results["02.backlog"][1]
    assert "inside a transaction" in results["04.idx_b"][1]
    assert "administrator" in results["01.workers"][1]


def test_prechecks_of_a_server_that_answers(sandboxes: Sandboxes) -> None:
    checks = {one.name: one for one in prechecks(connected_to(sandboxes.target("legacy")), load_policy())}
    assert list(checks) == [
        "connection", "extension", "edition", "versions", "disk", "privileges", "hypertables", "policies", "activity",
        "bloat", "workers", "window", "backup",
    ]  # fmt: skip
    assert checks["hypertables"].found == "0 hypertables, 5 plain, 0 missing"
    assert checks["disk"].verdict == "could not check"
    assert {one.name for one in checks.values() if one.verdict == "failed"} == set()


def test_prechecks_without_a_server_could_not_be_made() -> None:
    nowhere = Target(host="127.0.0.1", port=1, database="x", user="x")
    checks = prechecks(connected_to(nowhere), load_policy())
    assert {one.verdict for one in checks} == {"could not check"}
    assert worst(checks) == "could not check"


def test_each_check_fails_on_what_it_is_there_for(probe: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a database without MS5.0's tables, by a role that does not exist, with one free byte."""
    monkeypatch.setattr(disk, "free_bytes", lambda _connected: 1)
    connected = connected_to(probe.target, deploy_role="nobody_of_that_name")
    checks = {one.name: one for one in prechecks(connected, load_policy())}
    failed = {one.name: one.found for one in checks.values() if one.verdict == "failed"}
    assert failed == {
        "disk": "1 bytes free",
        "privileges": "there is no role nobody_of_that_name",
        "hypertables": "0 hypertables, 0 plain, 5 missing",
    }
    assert all(checks[name].advice for name in failed)


@pytest.mark.parametrize(
    ("changes", "check", "verdict"),
    [
        ({"edition": "apache"}, precheck._edition, "failed"),
        ({"version": NO_EXTENSION}, precheck._extension, "failed"),
        ({"version": (2, 10, 3)}, precheck._versions, "failed"),
        ({"version": (2, 30, 0)}, precheck._versions, "failed"),
        ({"postgres_version": (12, 20)}, precheck._versions, "failed"),
        ({"version": (2, 11, 0), "postgres_version": (13, 0)}, precheck._versions, "passed"),
        ({"version": (2, 29, 9)}, precheck._versions, "passed"),
    ],
)
def test_a_server_that_phase_4_cannot_run_on_fails(
    sandboxes: Sandboxes, changes: dict[str, Any], check: Callable[[Server], Check], verdict: str
) -> None:
    server = replace(connect_server(Database(sandboxes.target("legacy"))), **changes)
    assert check(server).verdict == verdict


@pytest.mark.parametrize(("state", "code"), [("legacy", 1), ("optimised", 2)])
def test_the_exit_code_is_the_worst_verdict(
    sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch, state: str, code: int
) -> None:
    monkeypatch.setenv("MS5OPS_STATE", str(sandboxes.folder(state)))
    found = CliRunner().invoke(app, ["check", "post", "-e", "sandbox", "--json"])
    values = json.loads(found.stdout)
    verdicts = {one["verdict"] for one in values["checks"]}
    assert found.exit_code == code
    assert values["verdict"] == {1: "failed", 2: "could not check"}[code]
    assert values["verdict"] in verdicts


def test_a_closed_window_fails_its_check(sandboxes: Sandboxes) -> None:
    closed = connected_to(sandboxes.target("legacy"), maintenance_window="00:00-00:00 UTC")
    checks = {one.name: one for one in prechecks(closed, load_policy())}
    assert checks["window"].verdict == "failed"
    assert "--outside-window" in checks["window"].advice
    reasoned = {one.name: one for one in prechecks(closed, load_policy(), outside_window="leak in hall 2")}
    assert reasoned["window"].verdict == "failed"
    assert "leak in hall 2" in reasoned["window"].advice


def test_a_slow_criterion_says_where_its_time_goes(sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "AGGREGATE_MS", 0.0)
    server = connect_server(Database(sandboxes.target("optimised")))
    (found,) = (one for one in postchecks(server, load_policy(), [5]) if one.name == "aggregate_query")
    assert found.verdict == "failed"
    planning = re.fullmatch(r"planned once more, without running it: ([\d.]+) ms", found.evidence[-1])
    assert planning is not None
    assert 0 < float(planning[1]) < 10_000
    assert found.advice.startswith(("See Indexes", "Most of it is planning"))
    assert "Indexes" in latency.slow_advice(300, 20, (2, 11, 2))
    assert latency.slow_advice(300, 280, (2, 11, 2)).endswith("so does TimescaleDB 2.14 or newer.")
    assert latency.slow_advice(300, 280, (2, 28, 3)).endswith("longer chunks help.")


def test_postchecks_of_an_optimised_and_of_a_legacy_database(sandboxes: Sandboxes) -> None:
    policy = load_policy()
    optimised = {one.name: one for one in postchecks(connect_server(Database(sandboxes.target("optimised"))), policy)}
    assert len(optimised) == 8
    for name in ("chunk_intervals", "compression_policies", "retention_policies", "indexes", "aggregates"):
        assert optimised[name].verdict == "passed", optimised[name]
    assert optimised["recent_query"].verdict == "passed"
    assert "7 runs on one connection" in optimised["recent_query"].evidence[0]
    legacy = {one.name: one for one in postchecks(connect_server(Database(sandboxes.target("legacy"))), policy)}
    assert legacy["chunk_intervals"].found == "0 of 5"
    assert legacy["compression_policies"].verdict == "failed"
    assert legacy["aggregate_query"].verdict == "could not check"
    assert legacy["compression"].verdict == "could not check"


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs that is the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def _program(file: Path, text: str) -> None:
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def test_missing_or_old_backup_programs_are_a_sentence(tools: Path) -> None:
    with pytest.raises(BackupError, match="pg_dump and pg_restore cannot be found"):
        backup.dump_tool(17)
    _program(tools / "pg_dump", "echo 'pg_dump (PostgreSQL) 15.4'")
    _program(tools / "pg_restore", "")
    with pytest.raises(BackupError, match="version 15, which cannot dump a server of version 17"):
        backup.dump_tool(17)
    assert backup.dump_tool(15).version == "15.4"


def test_a_report_tells_the_whole_story_in_both_formats(probe: Database, tmp_path: Path) -> None:
    plan = Plan((index("idx_a", "ts"), WRONG, index("idx_c", "value")))
    apply(probe, plan, conditions(), server_versions=VERSIONS, note="no backup: <b>a test</b>")
    closed = connected_to(probe.target, maintenance_window="00:00-00:00 UTC")
    checks = prechecks(closed, load_policy(), outside_window="leak in hall 2")
    found = report.read_report(probe, journal.deployment(probe), checks)
    files = report.write(found, tmp_path)
    markdown, page = (file.read_text() for file in files)
    for text in ("tester", "division by zero", "Make 04.idx_a", "Checks before", "2.23.0", "done", "failed", "pending",
                 "TimescaleDB 2", "for this reason: leak in hall 2."):  # fmt: skip
        assert text in markdown
        assert text in page
    assert "http" not in page
    assert "<script" not in page
    assert os.path.dirname(files[0]) == str(tmp_path)
    assert rollback(probe, journal.deployment(probe), conditions()).status == "rolled back"
    back = report.write(report.read_report(probe, journal.deployment(probe)), tmp_path)
    assert "Checks before" in files[0].read_text(), "the report of a way back takes nobody's place"
    assert "rolled back" in back[0].read_text()
