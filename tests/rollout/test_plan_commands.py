"""``plan`` and ``lint`` on the command line: what goes to stdout, what to stderr, and the exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ms5ops import paths
from ms5ops.database import Database
from ms5ops.observe.overview import read_all
from ms5ops.observe.server import connect_server
from ms5ops.rollout.measure import measure
from ms5ops.rollout.plan import Plan
from tests.conftest import Sandboxes


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "ms5ops", *arguments],
        cwd=paths.PROJECT,
        env={**os.environ, "MS5OPS_STATE": str(folder), "COLUMNS": "240"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_plan_for_people_and_for_programs(sandboxes: Sandboxes, tmp_path: Path) -> None:
    folder, file = sandboxes.folder("legacy"), tmp_path / "plan.json"
    shown = run(folder, "plan", "-e", "sandbox", "--out", str(file))
    assert shown.returncode == 3, shown.stderr
    assert "Phase 5: Continuous aggregates" in shown.stdout
    assert "Destroys data" in shown.stdout
    assert "Saved to" in shown.stderr
    saved = Plan.load(file)
    asked = run(folder, "plan", "-e", "sandbox", "--json", "--phase", "1", "--phase", "2")
    assert asked.returncode == 3
    values = json.loads(asked.stdout)
    assert values["environment"] == "sandbox"
    assert {one["phase"] for one in values["operations"]} == {1, 2}
    assert Plan.from_json(values).state_hash == saved.state_hash, "what --json prints can be applied as well"
    script = run(folder, "plan", "-e", "sandbox", "--sql")
    assert script.stdout.startswith("-- Policy rollout of ")


def test_wrong_use_is_refused(sandboxes: Sandboxes, tmp_path: Path) -> None:
    folder = sandboxes.folder("legacy")
    assert run(folder, "plan", "--json", "--sql").returncode == 2
    assert run(folder, "plan", "--phase", "6").returncode == 2
    missing = run(folder, "plan", "--policy", str(tmp_path / "none.toml"))
    assert missing.returncode == 2
    assert "There is no policy file" in missing.stderr


def test_lint_with_and_without_a_server(sandboxes: Sandboxes, tmp_path: Path) -> None:
    measured = run(sandboxes.folder("hypertables"), "lint", "-e", "sandbox", "--json")
    values = json.loads(measured.stdout)
    errors = [one for one in values["findings"] if one["severity"] == "error"]
    assert measured.returncode == (1 if errors else 0)
    assert any("; measured" in one["reason"] for one in errors), "so few rows are worth no 1-hour chunks"
    assert values["environment"] == "sandbox"
    assert values["findings"]
    without = run(tmp_path, "lint", "-e", "sandbox")
    assert without.returncode == 0, without.stdout
    assert "Judged without measurements" in without.stderr


@pytest.mark.parametrize("state", ["legacy", "hypertables", "optimised"])
def test_what_lint_judges_with_is_measured(sandboxes: Sandboxes, state: str) -> None:
    database = Database(sandboxes.target(state))
    found = measure(read_all(connect_server(database)))
    table = found.table("metric_hist")
    assert found.edition == "community"
    assert found.max_locks_per_transaction
    assert table.rows_per_day is not None
    assert 500 < table.rows_per_day < 20_000, "24,000 rows in ten days, most of them here"
    assert table.bytes_per_row is None or 30 < table.bytes_per_row < 400
    assert table.index_count is not None
    assert (table.chunk_count is None) is (state == "legacy")
    assert found.memory_bytes is None
    metrics = database.row("SELECT count(DISTINCT metric_def_id) AS metrics FROM factory_telemetry.metric_hist")
    database.close()
    assert table.segments == metrics["metrics"], "planned or in force, told by the planner's statistics"
