"""The command line as people and cron call it: its streams and its exit code, as a process and within this one."""

import io
import json
import os
import socket
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from ms5ops import __version__, cli, paths
from ms5ops.history.shared import SharedFolder
from tests.conftest import STATES, Sandboxes

Done = subprocess.CompletedProcess[str]


def variables_of(folder: Path, **variables: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DB_", "MS5OPS_"))}
    return kept | {
        "MS5OPS_STATE": str(folder),
        "MS5OPS_HISTORY": str(folder / "history.duckdb"),
        "MS5OPS_CONFIG": str(folder / "absent.toml"),
        "COLUMNS": "160",
        **variables,
    }


def process(*arguments: str, folder: Path, **variables: str) -> Done:
    """The command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "ms5ops", *arguments],
        env=variables_of(folder, **variables),
        cwd=paths.PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )


def call(*arguments: str, folder: Path, **variables: str) -> Done:
    """The same within this process, which spares it the imports."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name in [name for name in os.environ if name.startswith(("DB_", "MS5OPS_"))]:
            patch.delenv(name)
        for name, value in variables_of(folder, **variables).items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["ms5ops", *arguments])
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


@pytest.mark.parametrize("state", STATES)
def test_status_as_json(sandboxes: Sandboxes, state: str) -> None:
    done = (process if state == "legacy" else call)("status", "--json", folder=sandboxes.folder(state))
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(done.stdout)
    kinds = {table["name"]: table["kind"] for table in found["tables"]["value"]}
    assert kinds["metric_hist"] == ("plain table" if state == "legacy" else "hypertable")
    assert (found["environment"], found["origin"]) == ("sandbox", "simulated")
    assert {one["severity"] for one in found["findings"]} <= {"critical", "warning", "info", "nothing", "ok"}
    assert done.returncode == any(one["severity"] == "critical" for one in found["findings"])


def test_status_in_full_holds_every_chunk_and_run(sandboxes: Sandboxes) -> None:
    folder = sandboxes.folder("optimised")
    short = json.loads(call("status", "--json", folder=folder).stdout)
    found = json.loads(call("status", "--json", "--full", folder=folder).stdout)
    assert "lists" not in short
    assert set(found["lists"]) == {"chunks", "growth", "job_runs"}
    assert len(found["lists"]["chunks"]) == found["chunks"]["value"]["rows"] > 200
    assert found["lists"]["chunks"][0]["range_start"].startswith("20")
    assert {one["rhythm"] for one in found["routine"]} == {"daily", "weekly", "monthly"}
    assert {one["topic"] for one in found["diagnoses"]} >= {"Aggregates lag"}


def test_status_for_people(sandboxes: Sandboxes) -> None:
    done = call("status", folder=sandboxes.folder("optimised"))
    assert "metric_hist_1min" in done.stdout
    assert "compression" in done.stdout
    assert "simulated data" in done.stdout
    assert "None" not in done.stdout


def test_collect_stores_and_says_so(sandboxes: Sandboxes, tmp_path: Path) -> None:
    folder = sandboxes.folder("legacy")
    history = {"MS5OPS_HISTORY": str(tmp_path / "h.duckdb")}
    first, second = (call("collect", folder=folder, **history) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert first.stdout.startswith("Stored a snapshot of sandbox at 20")
    as_json = call("collect", "--json", folder=folder, **history)
    assert json.loads(as_json.stdout)["tables"] == 5


def test_a_snapshot_that_waits_is_not_said_to_be_stored(sandboxes: Sandboxes, tmp_path: Path) -> None:
    share = tmp_path / "share"
    SharedFolder(share).prepare()
    share.rename(tmp_path / "away")
    done = call("collect", folder=sandboxes.folder("legacy"), MS5OPS_HISTORY=share.as_uri())
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Took a snapshot of sandbox at 20")
    assert "It is not in the history yet: it waits in " in done.stdout


def test_without_a_server_it_says_what_to_do(tmp_path: Path) -> None:
    for command in ("status", "collect"):
        done = call(command, folder=tmp_path)
        assert done.returncode == 2
        assert done.stdout == ""
        assert "The sandbox is not running." in done.stderr
        assert "python -m ms5ops sandbox start" in done.stderr
        assert "Traceback" not in done.stderr


def test_secrets_stay_out_of_every_stream(tmp_path: Path) -> None:
    done = process("status", folder=tmp_path, DB_HOST="127.0.0.1", DB_PORT="1", DB_PASSWORD="hidden-one")
    assert done.returncode == 2
    assert "No connection to postgres@127.0.0.1:1/factory_telemetry" in done.stderr
    listed = call("environments", "--json", folder=tmp_path, DB_HOST="127.0.0.1", DB_PASSWORD="hidden-one")
    assert json.loads(listed.stdout)["default"] == "DB_HOST"
    assert "hidden-one" not in done.stdout + done.stderr + listed.stdout + listed.stderr


def test_environments_say_which_is_the_default_and_why(tmp_path: Path) -> None:
    file = tmp_path / "ms5ops.toml"
    file.write_text('[environments.line1]\nhost = "line1"\nread = { user = "reader" }\n')
    done = call("environments", folder=tmp_path, MS5OPS_CONFIG=str(file))
    assert done.returncode == 0
    assert "reader@line1:5432/factory_telemetry" in done.stdout
    assert "the first environment in ms5ops.toml" in done.stdout


def test_an_unknown_environment_is_refused(tmp_path: Path) -> None:
    done = call("status", "--environment", "sandbx", folder=tmp_path)
    assert done.returncode == 2
    assert "Did you mean 'sandbox'?" in done.stderr


def test_the_sandbox_says_what_is_in_it(sandboxes: Sandboxes) -> None:
    done = call("sandbox", "status", folder=sandboxes.folder("hypertables"))
    assert "state hypertables" in done.stdout
    assert "Simulated telemetry" in done.stdout


def test_a_sandbox_that_does_not_run_is_no_error(tmp_path: Path) -> None:
    assert "Not running" in call("sandbox", "status", folder=tmp_path).stdout
    stopped = call("sandbox", "stop", folder=tmp_path)
    assert (stopped.returncode, stopped.stdout) == (0, "It was not running.\n")


def test_version_and_bad_usage(tmp_path: Path) -> None:
    assert process("--version", folder=tmp_path).stdout.strip() == __version__
    assert call("no-such-command", folder=tmp_path).returncode == 2


def test_what_a_message_quotes_is_no_markup(tmp_path: Path) -> None:
    done = call("status", folder=tmp_path, MS5OPS_ENVIRONMENT="[/bold]")
    assert done.returncode == 2
    assert "There is no environment '[/bold]'." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_defect_is_a_sentence_and_its_trace_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_given: str) -> None:
        raise ZeroDivisionError("no secret in a sentence")

    monkeypatch.setattr(cli, "app", broken)
    done = call("status", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "This command has a defect (ZeroDivisionError)." in done.stderr
    assert "Traceback" not in done.stderr
    (file,) = (tmp_path / "defects").iterdir()
    assert str(file) in done.stderr
    assert "in broken" in file.read_text()
    (tmp_path / "file").touch()
    done = call("status", folder=tmp_path / "file")
    assert "in broken" in done.stderr, "where it cannot be kept it is not lost"


@pytest.mark.parametrize(
    "given",
    [("alerts", "mute", "--hours", "1e300", "--reason", "x"), ("alerts", "mute", "--hours", "inf", "--reason", "x"),
     ("watch", "--every", "1e300"), ("audit", "list", "--limit", "1" + "0" * 30)],
)  # fmt: skip
def test_a_number_beyond_all_bounds_is_refused(given: tuple[str, ...], tmp_path: Path) -> None:
    done = call(*given, folder=tmp_path)
    assert done.returncode == 2
    assert "Invalid value" in done.stderr


def test_a_port_that_is_taken_is_said_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = call("run", "--port", port, folder=tmp_path, DB_HOST="127.0.0.1", DB_PORT="1")
    assert done.returncode == 2
    assert f"Port {port} on 127.0.0.1 is taken" in done.stderr
    assert "open on" not in done.stderr


def test_a_history_that_has_no_place_is_said_in_a_sentence(sandboxes: Sandboxes, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = call("collect", folder=sandboxes.folder("legacy"), MS5OPS_HISTORY=str(tmp_path / "file" / "h.duckdb"))
    assert done.returncode == 2
    assert "cannot be used" in done.stderr
    assert "MS5OPS_HISTORY" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_cut_on_a_narrow_terminal(sandboxes: Sandboxes) -> None:
    done = call("status", folder=sandboxes.folder("optimised"), COLUMNS="80")
    assert "…" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    wide = call("status", folder=sandboxes.folder("optimised"), COLUMNS="")
    assert "metric_hist_1hour_percentiles" in wide.stdout
