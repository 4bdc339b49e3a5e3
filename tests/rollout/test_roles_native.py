"""On native servers, through the command line, with no more rights than the README's GRANTs give."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from ms5ops import paths
from ms5ops.database import Database, Target
from ms5ops.errors import BackupError
from ms5ops.rollout import backup
from ms5ops.sandbox import fill
from tests.native import native_database
from tests.rollout.legacy_tables import described

pytestmark = [pytest.mark.native, pytest.mark.timeout(900)]
SCHEMA = "factory_telemetry"
TABLES = ("metric_hist", "oee_calculations", "energy_consumption", "production_kpis", "production_context_history")
LATENCIES = ("recent_query", "aggregate_query")
"""Criteria that a busy machine may miss."""

README = (paths.PROJECT / "README.md").read_text(encoding="utf-8")


@dataclass
class Plant:
    """A database of one's own with plain tables and the README's two roles, and the command line for it."""

    admin: Database
    target: Target
    folder: Path

    @property
    def deploy(self) -> str:
        return f"{self.target.database}_deploy"

    def call(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*arguments), env=self.environment, cwd=paths.PROJECT, capture_output=True, text=True,
            check=False, input="",
        )  # fmt: skip

    def done(self, *arguments: str) -> Any:
        """What a command that must succeed writes with --json."""
        found = self.call(*arguments, "--json")
        assert found.returncode == 0, found.stderr + found.stdout
        return json.loads(found.stdout)

    @staticmethod
    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "ms5ops", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("DB_", "MS5OPS_"))}
        return kept | {
            "MS5OPS_STATE": str(self.folder / "state"),
            "MS5OPS_HISTORY": str(self.folder / "history.duckdb"),
            "MS5OPS_CONFIG": str(self.folder / "ms5ops.toml"),
            "COLUMNS": "200",
        }

    def described(self) -> dict[str, dict[str, str]]:
        found = {table: described(self.admin, SCHEMA, table) for table in TABLES}
        for one in found.values():
            one["table"] = re.sub(
                r"'relacl': '\{(.*?)\}'", lambda rights: str(sorted(rights[1].split(","))), one["table"]
            )
        return found


@pytest.fixture(params=["community"])
def plant(request: pytest.FixtureRequest, native: Target, tmp_path: Path) -> Iterator[Plant]:
    with native_database(native, edition=request.param) as target:
        admin = Database(target, "write")
        yield _furnished(admin, target, tmp_path)
        admin.close()
    home = Database(native, "write")
    home.execute([f"DROP ROLE {target.database}_deploy", f"DROP ROLE {target.database}_read"])
    home.close()


def _furnished(admin: Database, target: Target, folder: Path) -> Plant:
    """Plain tables with rows, the README's roles, and the file that names the server."""
    name = target.database
    fill.fill(admin, "legacy", fill.Volume(rows=6_000, days=9), lambda _progress: None)
    for block in re.findall(r"```sql\n(.*?)```", README, re.DOTALL):
        mine = block.replace("ms5_", f"{name}_").replace("'...'", "'secret'")
        admin.execute(mine.replace("DATABASE factory_telemetry", f"DATABASE {name}"))
    for older in re.findall(r"^-- for backups before TimescaleDB 2\.15: (.*)$", README, re.MULTILINE):
        if admin.row("SELECT to_regclass('_timescaledb_internal.job_errors') IS NOT NULL AS found")["found"]:
            admin.execute(older.replace("ms5_", f"{name}_"))
    (folder / "password").write_text("secret")
    (folder / "ms5ops.toml").write_text(
        f"""
        default_environment = "plant"
        [environments.plant]
        host = "{target.host}"
        port = {target.port}
        database = "{name}"
        sslmode = "disable"
        maintenance_window = "00:00-23:59"
        read = {{ user = "{name}_read", password_file = "{folder}/password" }}
        deploy = {{ user = "{name}_deploy", password_file = "{folder}/password" }}
        """
    )
    return Plant(admin, target, folder)


def test_the_readmes_two_roles_suffice_for_the_whole_way_there_and_back(plant: Plant) -> None:
    before = plant.described()
    planned = plant.call("plan", "--json")  # as the reading role
    assert planned.returncode == 3, planned.stderr
    plan = json.loads(planned.stdout)
    for_the_owner = [one["statements"][0] for one in plan["advice"] if one["key"].startswith("01.database.")]
    assert f"ALTER DATABASE \"{plant.target.database}\" SET random_page_cost = '1.1'" in for_the_owner
    assert not [one for one in plan["operations"] if one["kind"] == "database_setting"]
    pre = {one["name"]: one for one in json.loads(plant.call("check", "pre", "--json").stdout)["checks"]}
    assert pre["privileges"]["verdict"] == "passed", pre["privileges"]
    assert plant.deploy in pre["privileges"]["evidence"][0]

    trial = plant.done("apply", "--dry-run")
    assert {one["result"] for one in trial["operations"]} == {"works", "not tried"}
    applied = json.loads(plant.call("apply", "--yes", "--json").stdout)
    assert applied["status"] == "done"
    verdicts = {one["name"]: one["verdict"] for one in applied["checks"]["after"]}
    assert {name for name, verdict in verdicts.items() if verdict != "passed"} <= {"compression", *LATENCIES}
    assert [one["status"] for one in json.loads(plant.call("deployments", "--json").stdout)] == ["done"]  # as reader
    again = json.loads(plant.call("plan", "--json").stdout)
    assert again["operations"] == []
    # The reading role sees what the deploying one has made.
    post = {one["name"]: one["verdict"] for one in json.loads(plant.call("check", "post", "--json").stdout)["checks"]}
    assert {name for name, verdict in post.items() if verdict != "passed"} <= {"compression", *LATENCIES}, post
    assert "could not check" not in {post[name] for name in LATENCIES}
    status = plant.call("status", "--json")
    assert status.returncode in (0, 1), status.stderr
    assert not re.search(r"lacks a privilege|permission denied", status.stdout + status.stderr)
    assert "Stored a snapshot" in plant.call("collect").stdout + plant.call("collect").stderr

    back = plant.done("rollback", "--yes", "--conversions", "--accept-loss")
    assert back["status"] == "rolled back", back
    after = plant.described()
    assert {table: part for table, part in after.items() if part != before[table]} == {}


def test_what_the_deploying_role_lacks_is_named_before_anything_begins(plant: Plant) -> None:
    plant.admin.execute(
        [
            f"ALTER TABLE {SCHEMA}.production_kpis OWNER TO {plant.target.user}",
            f"GRANT SELECT ON {SCHEMA}.production_kpis TO {plant.deploy}",
            f"REVOKE REFERENCES ON {SCHEMA}.users FROM {plant.deploy}",
        ]
    )
    refused = plant.call("apply", "--yes")
    assert refused.returncode == 2
    assert "not the owner of production_kpis; no REFERENCES on factory_telemetry.users" in refused.stderr
    assert plant.call("deployments", "--json").stdout.strip() == "[]"


def test_the_deploying_role_can_make_the_backup(plant: Plant) -> None:
    major = int(plant.admin.row("SELECT current_setting('server_version_num')::int / 10000 AS v")["v"])
    try:
        backup.dump_tool(major)
    except BackupError as error:
        pytest.skip(error.happened)
    deploying = replace(plant.target, user=plant.deploy, password=SecretStr("secret"))
    made = backup.make(deploying, major, [f"{SCHEMA}.{table}" for table in TABLES], plant.folder / "backups")
    assert made.size_bytes > 10_000


def test_a_large_conversion_is_taken_back_online_and_after_a_kill_by_the_same_command(plant: Plant) -> None:
    plant.admin.execute(
        f"""
        INSERT INTO {SCHEMA}.metric_hist (metric_def_id, ts, value_real)
            SELECT metric_def_id, ts - interval '1 ms' * i, i FROM {SCHEMA}.metric_hist, generate_series(1, 20) i;
        COMMENT ON CONSTRAINT metric_hist_metric_def_id_fkey ON {SCHEMA}.metric_hist IS 'goes with its metric';
        GRANT INSERT ON {SCHEMA}.metric_hist TO {plant.target.database}_read;
        ANALYZE {SCHEMA}.metric_hist;
        """
    )
    before = plant.described()
    assert json.loads(plant.call("apply", "--yes", "--phase", "1", "--json").stdout)["status"] == "done"
    conversion = "SELECT direction, status, step, rows_copied FROM ms5ops.conversion ORDER BY id DESC LIMIT 1"
    assert plant.admin.row(conversion)["direction"] == "hypertable"
    (kept,) = json.loads(plant.call("conversions", "--json").stdout)  # as the reading role
    assert (kept["name"], kept["number"]) == (f"{SCHEMA}.metric_hist_before_phase4", 1)
    dropped = plant.call("conversions", "drop", "metric_hist_before_phase4", "--yes")
    assert dropped.returncode == 0, dropped.stderr
    assert json.loads(plant.call("conversions", "--json").stdout) == []

    command = plant.command("rollback", "--yes", "--conversions")
    child = subprocess.Popen(
        command, env=plant.environment, cwd=paths.PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while child.poll() is None:
        found = plant.admin.row(conversion)
        if found["direction"] == "plain" and found["step"] == "copy" and found["rows_copied"] > 0:
            break
        time.sleep(0.01)
    assert child.poll() is None, "it was too quick to be killed"
    child.send_signal(signal.SIGKILL)
    child.wait()
    plant.admin.execute("UPDATE ms5ops.lease SET heartbeat_at = heartbeat_at - interval '2 minutes'")
    back = plant.done("rollback", "--yes", "--conversions")
    assert back["status"] == "rolled back", back
    assert any("The hypertable is kept as ms5ops_kept_" in one for one in back["warnings"])
    after = plant.described()
    assert {table: part for table, part in after.items() if part != before[table]} == {}
    assert plant.admin.row(conversion)["status"] == "done"
    (kept,) = json.loads(plant.call("conversions", "--json").stdout)
    assert (kept["table"], kept["kind"]) == (f"{SCHEMA}.metric_hist", "hypertable")
    assert plant.call("conversions", "drop", kept["name"], "--yes").returncode == 0
    assert {table: part for table, part in plant.described().items() if part != before[table]} == {}


@pytest.mark.parametrize("plant", ["apache"], indirect=True)
def test_on_the_apache_edition_what_is_possible_is_done_and_taken_back_and_the_rest_is_named(plant: Plant) -> None:
    before = plant.described()
    plan = json.loads(plant.call("plan", "--json").stdout)
    assert {one["phase"] for one in plan["operations"]} == {1, 3, 4}
    refused = {one["target"] for one in plan["notes"] if one["kind"] == "cannot"}
    assert refused == {"phase 2", "phase 3", "phase 5", "idx_metric_hist_realtime", "trim_realtime_index"}
    applied = json.loads(plant.call("apply", "--yes", "--json").stdout)
    assert applied["status"] == "done"
    verdicts = {one["name"]: one["verdict"] for one in applied["checks"]["after"]}
    assert verdicts.pop("recent_query") in ("passed", "failed")
    assert {name for name, verdict in verdicts.items() if verdict == "passed"} == {"chunk_intervals"}
    assert set(verdicts.values()) == {"passed", "could not check"}
    assert json.loads(plant.call("plan", "--json").stdout)["operations"] == []
    assert plant.done("rollback", "--yes", "--conversions")["status"] == "rolled back"
    after = plant.described()
    assert {table: part for table, part in after.items() if part != before[table]} == {}
