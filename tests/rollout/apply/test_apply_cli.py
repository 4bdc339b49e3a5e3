"""apply, rollback, check and deployments as people and scripts call them: a process, its streams, its exit code."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from ms5ops import paths
from ms5ops.access import audit
from ms5ops.access.roles import Actor
from ms5ops.access.store import Store
from ms5ops.cli import app
from ms5ops.control import approvals
from ms5ops.control.approvals import Asked
from ms5ops.database import Database, Target
from ms5ops.rollout import conversion, journal
from ms5ops.sandbox import fill, process
from tests.conftest import Sandboxes
from tests.rollout.apply.handmade import VERSIONS, Plan

pytestmark = [pytest.mark.xdist_group("applying-cli"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def folder(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("apply-cli")
    sandboxes.start(folder / "sandbox")
    yield folder
    process.stop(folder / "sandbox")


@pytest.fixture
def legacy(folder: Path) -> Path:
    database = Database(process.target(folder / "sandbox"), "write")
    database.execute("DROP SCHEMA IF EXISTS ms5ops CASCADE")
    fill.fill(database, "legacy", fill.Volume(rows=3_000, days=9), lambda _progress: None)
    for name in ("ms5ops.toml", "control.sqlite"):
        (folder / name).unlink(missing_ok=True)
    return folder


def environment(folder: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DB_", "MS5OPS_"))}
    return kept | {
        "MS5OPS_STATE": str(folder),
        "MS5OPS_HISTORY": str(folder / "history.duckdb"),
        "MS5OPS_CONFIG": str(folder / "ms5ops.toml"),
        "COLUMNS": "200",
    }


def call(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "ms5ops", *arguments]
    return subprocess.run(
        command, env=environment(folder), cwd=paths.PROJECT, capture_output=True, text=True, check=False, input=""
    )


def test_the_whole_way_there_and_back(legacy: Path) -> None:
    trial = call(legacy, "apply", "--dry-run", "--json")
    assert trial.returncode == 0, trial.stderr
    assert {one["result"] for one in json.loads(trial.stdout)["operations"]} == {"works", "not tried"}
    assert call(legacy, "deployments", "--json").stdout.strip() == "[]"

    refused = call(legacy, "apply")
    assert refused.returncode != 0
    done = call(legacy, "apply", "--yes", "--json")
    outcome = json.loads(done.stdout)
    assert (outcome["status"], outcome["left"]) == ("done", []), done.stderr
    verdicts = {one["name"]: (one["verdict"], one["found"]) for one in outcome["checks"]["after"]}
    verdict, found = verdicts.pop("compression")
    assert (verdict, found.partition(":")[0]) == ("could not check", "not measured yet")  # 3,000 rows are too few
    assert {verdict for verdict, _ in verdicts.values()} == {"passed"}, verdicts
    assert done.returncode == 0
    for file in map(Path, outcome["report"]):
        assert "Chunk intervals" in file.read_text()
    assert "Nothing to do" in call(legacy, "apply", "--yes").stderr

    post = call(legacy, "check", "post", "--json")
    assert post.returncode == 2
    assert len(json.loads(post.stdout)["checks"]) == 8
    pre = call(legacy, "check", "pre", "--json")
    assert pre.returncode == 2  # the embedded engine has no background workers to count

    assert "keep  Make metric_hist a hypertable" in call(legacy, "rollback", "--dry-run").stderr
    back = call(legacy, "rollback", "--last", "--yes", "--conversions", "--json")
    assert back.returncode == 0, back.stderr
    assert json.loads(back.stdout)["status"] == "rolled back"
    assert json.loads(call(legacy, "deployments", "--json").stdout)[0]["status"] == "rolled back"


def write_plant(folder: Path) -> Target:
    """Configure the engine as a protected environment ``plant`` whose maintenance window is closed."""
    target = process.target(folder / "sandbox")
    assert target.password is not None
    (folder / "password").write_text(target.password.get_secret_value())
    (folder / "ms5ops.toml").write_text(
        f"""
        [environments.plant]
        host = "{target.host}"
        port = {target.port}
        database = "{target.database}"
        sslmode = "disable"
        protected = true
        maintenance_window = "00:00-00:00"
        read = {{ user = "{target.user}", password_file = "{folder}/password" }}
        deploy = {{ user = "postgres", password_file = "{folder}/password" }}
        """
    )
    return target


def test_a_protected_environment_wants_its_name_a_backup_and_its_window(
    legacy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = write_plant(legacy)
    for name, value in environment(legacy).items():
        monkeypatch.setenv(name, value)

    def refusal(*words: str) -> str:
        return str(CliRunner().invoke(app, words).exception)

    closed = call(legacy, "apply", "-e", "plant", "--yes")
    assert (closed.returncode, "window is closed" in closed.stderr) == (2, True), closed.stderr
    window = ("--outside-window", "a test")
    unkept = refusal("apply", "-e", "plant", "--confirm", "plant", *window, "--phase", "1")
    assert "only a plan that somebody else has approved" in unkept
    saved = CliRunner().invoke(app, ["plans", "--save", "-e", "plant", "--phase", "1", "--json"])
    plan = json.loads(saved.stdout)
    assert "cannot approve it" in refusal("approve", str(plan["number"]))
    assert "nobody has approved it yet" in refusal("apply", "--plan-id", plan["id"], "--confirm", "plant", *window)
    asked = Asked(f"plan {plan['number']}", f"plan {plan['id']}", plan["plan_hash"], plan["author"])
    store, now = Store(legacy / "control.sqlite", "control"), datetime.now(UTC)
    approvals.approve(store, asked, Actor("second", "operator"), comment="", now=now, valid_for=timedelta(hours=1))
    wanted = ("apply", "--plan-id", str(plan["number"]), *window)
    assert "Give --confirm plant" in refusal(*wanted, "--yes")
    assert "is not the environment's name" in refusal(*wanted, "--confirm", "plan")
    if shutil.which("pg_dump") is None:
        assert "no backup can be made" in refusal(*wanted, "--confirm", "plant")
    done = call(legacy, *wanted, "--confirm", "plant", "--no-backup", "sandbox", "--json")
    assert json.loads(done.stdout)["status"] == "done", done.stderr
    assert approvals.approvals(store, asked.subject)[0].used_at is not None
    database = Database(target)
    events = journal.events(database, journal.deployment(database).id)
    assert "no backup: sandbox. outside window: a test." in events[0].message


def test_going_on_takes_what_a_fresh_apply_takes_and_its_end_is_recorded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(write_plant(folder), "write")
    database.execute("DROP SCHEMA IF EXISTS ms5ops CASCADE")
    with database.session() as session:
        journal.prepare(session)
        who, begun = journal.Who.here("author"), uuid4()
        journal.begin(session, Plan(()), who, identity=begun, environment="plant", server_versions=VERSIONS)
        journal.Journal(session, begun, who).status("cancelled", finished=True)
    for name, value in environment(folder).items():
        monkeypatch.setenv(name, value)
    window, named = ("--outside-window", "a test"), ("--confirm", "plant")
    for words, said in (
        (("--dry-run",), "goes on with what was begun"),
        (named, "Maintenance window"),
        (window, "nobody is here to type its name"),
        ((*window, "--confirm", "plan"), "is not the environment's name"),
        ((*window, *named), "there is nothing to go on with"),
    ):
        assert said in str(CliRunner().invoke(app, ["apply", "--resume", "-e", "plant", *words]).exception), words
    end, start = audit.entries(limit=2)
    assert (start.outcome, end.outcome, end.action) == ("begun", "failed", "apply")
    assert "nothing to go on with" in end.details["reason"]
    both = CliRunner().invoke(app, ["deployments", "-e", "plant", "--pause", "1", "--cancel", "2"])
    assert "were both given" in str(both.exception)
    database.execute("DROP SCHEMA ms5ops CASCADE")


def test_a_saved_plan_is_refused_once_the_database_has_changed(legacy: Path) -> None:
    from ms5ops.observe.server import connect_server
    from ms5ops.policy.document import load_policy
    from ms5ops.rollout.plan import make_plan
    from ms5ops.rollout.state import read_state

    database = Database(process.target(legacy / "sandbox"), "write")
    file = legacy / "plan.json"
    make_plan(read_state(connect_server(Database(database.target)), load_policy()), load_policy()).save(file)
    database.execute("COMMENT ON TABLE factory_telemetry.metric_hist IS 'changed'")
    stale = call(legacy, "apply", "--plan", str(file), "--yes")
    assert (stale.returncode, "has changed since the plan was made" in stale.stderr) == (2, True), stale.stderr
    assert journal.deployments(database) == ()


def test_what_a_conversion_has_kept_is_listed_and_dropped_with_the_environments_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = write_plant(folder)
    database = Database(target, "write")
    database.execute("DROP SCHEMA IF EXISTS ms5ops CASCADE; CREATE SCHEMA IF NOT EXISTS keeping")
    database.execute("CREATE TABLE keeping.one AS SELECT i AS id, now() AS t FROM generate_series(1, 9) i")
    database.execute("ALTER TABLE keeping.one ADD PRIMARY KEY (id)")
    wanted = {"table": "keeping.one", "time_column": "t", "chunk_interval": "1 day", "primary_key": ["id", "t"]}
    for name, value in environment(folder).items():
        monkeypatch.setenv(name, value)

    def conversions(*words: str) -> Result:
        return CliRunner().invoke(app, ["conversions", "-e", "plant", *words])

    assert conversions().stdout == "No conversion has kept a table.\n"
    conversion.convert(lambda: Database(target, "write"), wanted, lambda _share, _text: None, conversion.Limits())
    (kept,) = json.loads(conversions("--json").stdout)
    assert (kept["name"], kept["kind"], kept["number"]) == ("keeping.one_before_phase4", "plain table", None)
    assert kept["size_bytes"] > 8_000
    assert re.search(r"keeping\.one_before_phase4 +plain table +keeping\.one, a hypertable +.*kB", conversions().stdout)
    drop = ("drop", "keeping.one_before_phase4", "--yes")
    for more, said in (
        ((), "plant is protected, and nobody is here to type its name"),
        (("--confirm", "plan"), "is not the environment's name"),
        (("--confirm", "plant"), "Maintenance window"),
    ):
        assert said in str(conversions(*drop, *more).exception)
    assert "keeping.one_before_phase4" in conversions("--json").stdout
    done = conversions(*drop, "--confirm", "plant", "--outside-window", "a test")
    assert (done.exit_code, json.loads(conversions("--json").stdout)) == (0, []), done
    assert database.row("SELECT to_regclass('keeping.one_before_phase4') IS NULL AS gone") == {"gone": True}
    logged = audit.entries(limit=1)[0]
    assert (logged.outcome, logged.details["what"]) == ("done", "drop the kept table keeping.one_before_phase4")
    database.execute("DROP SCHEMA keeping CASCADE; DROP SCHEMA ms5ops CASCADE")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_pauses_and_resume_finishes(legacy: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "ms5ops", "apply", "--yes"]
    child = subprocess.Popen(
        command, env=environment(legacy), cwd=paths.PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    database = Database(process.target(legacy / "sandbox"))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = journal.deployments(database)
        if found and found[0].done >= 5:
            break
        time.sleep(0.05)
    child.send_signal(number)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130, errors
    paused = journal.deployment(database)
    assert (paused.status, paused.note) == ("paused", f"Stopped by {number.name}.")
    assert 5 <= paused.done < paused.operations
    again = call(legacy, "apply", "--resume", "--json")
    assert json.loads(again.stdout)["status"] == "done", again.stderr
