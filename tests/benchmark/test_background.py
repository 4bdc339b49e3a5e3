"""One run at a time, seen and stopped by others: with real processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from ms5ops import paths
from ms5ops.benchmark import background
from ms5ops.errors import BenchmarkError

HOLDER = """
import sys
from ms5ops.benchmark import background
with background.alone("plant", label="by the other", actor="anna") as run:
    run.progress(3, 10, "latest_100", 7.0)
    run._write()
    print("begun", flush=True)
    sys.stdin.readline()
    run.ended("stopped" if run.stop_asked() else "finished", run_id="r1")
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MS5OPS_STATE", str(tmp_path))
    return tmp_path


def holder() -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER], cwd=paths.PROJECT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def ended(process: "subprocess.Popen[str]") -> None:
    process.communicate("go on\n", timeout=20)


def test_nothing_was_ever_started() -> None:
    assert background.current("plant") is None
    background.ask_to_stop("plant")
    assert background.current("plant") is None


def test_another_process_is_seen_kept_out_and_stopped() -> None:
    process = holder()
    try:
        seen = background.current("plant")
        assert seen is not None
        assert seen.is_running
        assert (seen.pid, seen.label, seen.step) == (process.pid, "by the other", "latest_100")
        assert (seen.share, seen.remaining_seconds) == (0.3, 7.0)
        with (
            pytest.raises(BenchmarkError, match="started by anna"),
            background.alone("plant", label=None, actor="ben"),
        ):
            pass
        with background.alone("another plant", label=None, actor="ben"):
            assert background.current("plant") == seen
        background.ask_to_stop("plant")
        asked = background.current("plant")
        assert asked is not None
        assert asked.stop_asked
    finally:
        ended(process)
    last = background.current("plant")
    assert last is not None
    assert (last.outcome, last.run_id) == ("stopped", "r1")


def test_a_stop_asked_of_the_run_before_does_not_stop_this_one(folder: Path) -> None:
    with background.alone("plant", label=None, actor="anna") as run:
        (folder / "benchmark" / "plant.stop").touch()
        assert run.stop_asked()
    with background.alone("plant", label=None, actor="anna") as run:
        assert not run.stop_asked()
    last = background.current("plant")
    assert last is not None
    assert last.outcome == "finished"


def test_a_killed_run_is_said_to_have_died() -> None:
    process = holder()
    process.kill()
    process.communicate(timeout=20)
    seen = background.current("plant")
    assert seen is not None
    assert seen.outcome == "died"
    assert not seen.is_running


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BenchmarkError("The server went away.", "Start it."), "The server went away. Start it."),
        (KeyError("x"), "The run has a defect (KeyError). Report it with what the run wrote."),
        (KeyboardInterrupt(), "The run was interrupted."),
    ],
)
def test_an_error_is_the_end_of_the_run(error: BaseException, told: str) -> None:
    with (
        pytest.raises(type(error)),
        background.alone("plant", label=None, actor="anna"),
    ):
        raise error
    last = background.current("plant")
    assert last is not None
    assert (last.outcome, last.message) == ("failed", told)
