import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from ms5ops.errors import HistoryError
from ms5ops.history import History, migrations

NOW = pd.Timestamp(datetime(2026, 11, 23, 12, 0, tzinfo=UTC))
EVER = {"source": "test", "since": datetime(2000, 1, 1, tzinfo=UTC)}


def run_frame(job_id: int, source: str = "test") -> pd.DataFrame:
    row = {
        "source": source,
        "job_id": job_id,
        "started_at": NOW,
        "finished_at": NOW,
        "succeeded": True,
        "message": None,
        "origin": "measured",
    }
    return pd.DataFrame([row])


def snapshot_frame() -> pd.DataFrame:
    row = {
        "snapshot_id": str(uuid.uuid4()),
        "source": "test",
        "environment": "test",
        "origin": "measured",
        "taken_at": NOW,
        "tool_version": "0",
        "postgres_version": "17.5",
        "timescaledb_version": "2.23.0",
        "database_bytes": 1_000,
    }
    return pd.DataFrame([row])


def job_ids(history: History) -> list[int]:
    return sorted(history.read("job_runs", EVER)["job_id"])


def test_reading_before_anything_was_stored_gives_no_rows(tmp_path: Path) -> None:
    history = History(tmp_path / "h.duckdb")
    assert history.read("job_runs", EVER).empty
    assert not history.exists()


def test_rows_come_back_with_their_times_in_utc(tmp_path: Path) -> None:
    history = History(tmp_path / "folder" / "h.duckdb")
    history.append({"job_run": run_frame(7)})
    frame = history.read("job_runs", EVER)
    assert list(frame["job_id"]) == [7]
    assert frame["started_at"].iloc[0] == NOW


def test_what_is_stored_is_never_changed(tmp_path: Path) -> None:
    history = History(tmp_path / "h.duckdb")
    history.append({"job_run": run_frame(7)})
    history.append({"job_run": run_frame(7).assign(succeeded=False)})
    frame = history.read("job_runs", EVER)
    assert list(frame["succeeded"]) == [True]


def test_all_or_nothing(tmp_path: Path) -> None:
    history = History(tmp_path / "h.duckdb")
    history.append({"job_run": run_frame(1)})
    with pytest.raises(HistoryError):
        history.append({"job_run": run_frame(2), "snapshot": snapshot_frame().assign(origin="invented")})
    assert job_ids(history) == [1]


def test_a_newer_file_is_refused_with_the_way_out(tmp_path: Path) -> None:
    history = History(tmp_path / "h.duckdb")
    history.append({"job_run": run_frame(1)})
    with duckdb.connect(str(history.file)) as connection:
        connection.execute("INSERT INTO schema_version VALUES (9999, now())")
    with pytest.raises(HistoryError, match="9999") as caught:
        history.read("job_runs", EVER)
    assert "Upgrade" in caught.value.next_step


def test_a_damaged_file_is_refused_with_the_way_out(tmp_path: Path) -> None:
    file = tmp_path / "h.duckdb"
    file.write_bytes(b"this is no database" * 1_000)
    for use in (
        lambda: History(file).read("job_runs", EVER),
        lambda: History(file).append({"job_run": run_frame(1)}),
    ):
        with pytest.raises(HistoryError, match="cannot be opened") as caught:
            use()
        assert "move it away" in caught.value.next_step
    assert file.read_bytes().startswith(b"this is no database")


def test_a_holder_is_waited_for_and_named(tmp_path: Path) -> None:
    history = History(tmp_path / "h.duckdb", lock_wait_s=0.3)
    history.append({"job_run": run_frame(1)})
    script = (
        f"import duckdb, time; c = duckdb.connect({str(history.file)!r}); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        try:
            with pytest.raises(HistoryError, match=f"process {holder.pid}"):
                history.read("job_runs", EVER)
        finally:
            holder.kill()
    assert job_ids(history) == [1]


def test_migrations_are_numbered_without_gaps() -> None:
    assert [number for number, _ in migrations()] == list(range(1, len(migrations()) + 1))


def test_runs_that_were_kept_without_an_origin_have_that_of_their_time(tmp_path: Path) -> None:
    history = History(tmp_path / "h.duckdb")
    told, untold = run_frame(1), run_frame(2).drop(columns="origin")
    later = untold.assign(job_id=3, started_at=NOW + timedelta(hours=2))
    replayed = snapshot_frame().assign(origin="replayed", taken_at=NOW + timedelta(hours=1))
    history.append({"job_run": told})
    history.append({"job_run": pd.concat([untold, later])})
    assert list(history.read("job_runs", EVER)["origin"]) == ["measured", "measured", "measured"]
    history.append({"snapshot": replayed})
    history.append({"snapshot": snapshot_frame().assign(origin="simulated", taken_at=NOW + timedelta(hours=3))})
    assert list(history.read("job_runs", EVER)["origin"]) == ["measured", "replayed", "simulated"]


def test_parts_of_nothing_are_left_out(tmp_path: Path) -> None:
    history = History(tmp_path / "h.duckdb")
    head = snapshot_frame()
    part = {"schema_name": "s", "table_name": "t", "kind": "plain"}
    lost = pd.DataFrame([{**part, "snapshot_id": str(uuid.uuid4())}])
    own = pd.DataFrame([{**part, "snapshot_id": head["snapshot_id"].iloc[0]}])
    history.append({"snapshot_table": lost})
    history.append({"snapshot": head, "snapshot_table": pd.concat([lost, own])})
    with duckdb.connect(str(tmp_path / "h.duckdb"), read_only=True) as connection:
        stored = connection.execute("SELECT snapshot_id::TEXT FROM snapshot_table").fetchall()
    assert stored == [(head["snapshot_id"].iloc[0],)]
