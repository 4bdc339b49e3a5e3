import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from ms5ops import paths
from ms5ops.benchmark.records import Run
from ms5ops.benchmark.store import load_results, load_run, load_runs, load_samples, run_headers, store_run
from ms5ops.errors import BenchmarkError, HistoryError
from ms5ops.history import History, bundles, migrations, schema
from ms5ops.history.connection import in_memory
from tests.benchmark.processes import die, note, started
from tests.benchmark.stored import START, a_run


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "h.duckdb")


def changed(run: Run, **header: object) -> Run:
    return replace(run, header=replace(run.header, **header))  # type: ignore[arg-type]


def sample_count(history: History) -> int:
    return int(history.read("contents")["samples"].iloc[0])


def test_a_run_comes_back_exactly_as_it_was(history: History) -> None:
    run = a_run()
    assert store_run(history, run) is None
    found = load_run(history, run.header.run_id)
    assert found.header == run.header
    assert found.results == run.results
    pd.testing.assert_frame_equal(found.samples, run.samples, check_exact=True)


def test_a_run_without_samples_label_or_surroundings_comes_back(history: History) -> None:
    run = a_run(samples=20)
    bare = Run(replace(run.header, label=None, surroundings=None, is_partial=True), (), run.samples.iloc[:0])
    store_run(history, bare)
    found = load_run(history, bare.header.run_id)
    assert found.header == bare.header
    assert found.results == ()
    pd.testing.assert_frame_equal(found.samples, bare.samples, check_exact=True)


def test_the_same_id_again_leaves_the_first_untouched(history: History) -> None:
    run = a_run()
    store_run(history, run)
    other = a_run(START, run_id=run.header.run_id, samples=30, median=99.0)
    more = replace(other, results=(*other.results, replace(other.results[0], benchmark="another")))
    store_run(history, changed(more, label="second"))
    found = load_run(history, run.header.run_id)
    assert found.header == run.header
    assert found.results == run.results
    pd.testing.assert_frame_equal(found.samples, run.samples, check_exact=True)


def test_headers_results_and_samples_are_found_by_what_they_are_of(history: History) -> None:
    runs = [a_run(START + timedelta(days=day), source=f"source {day % 2}") for day in range(4)]
    for run in reversed(runs):
        store_run(history, run)
    ids = [run.header.run_id for run in runs]
    assert [header.run_id for header in run_headers(history)] == ids
    assert [header.run_id for header in run_headers(history, "source 1")] == [ids[1], ids[3]]
    between = run_headers(history, since=START + timedelta(days=1), until=START + timedelta(days=3))
    assert [header.run_id for header in between] == ids[1:3]
    assert [run.header.run_id for run in load_runs(history, [ids[2], ids[0]])] == [ids[2], ids[0]]
    assert load_results(history, [ids[1]]) == {ids[1]: runs[1].results}
    samples = load_samples(history, ids[:2], ["recent_metric", "none of this name"])
    assert samples.groupby("run_id", observed=True).size().to_dict() == dict.fromkeys(ids[:2], 20)
    assert load_samples(history, ids, []).empty
    assert load_runs(history, []) == ()


def test_an_empty_history_has_no_runs(history: History) -> None:
    assert run_headers(history) == ()
    assert load_samples(history, [str(uuid.uuid4())]).empty
    with pytest.raises(BenchmarkError, match="no run"):
        load_run(history, str(uuid.uuid4()))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda run: changed(run, run_id="latest"), "'latest' is not the whole id"),
        (lambda run: changed(run, anchor=run.header.anchor.replace(tzinfo=None)), "anchor has no time zone"),
        (lambda run: replace(run, samples=run.samples.drop(columns="client")), "no column client"),
        (lambda run: replace(run, results=run.results[:1] * 2), "two results of recent_metric"),
        (lambda run: replace(run, results=run.results[1:]), "samples of recent_metric, but no result"),
        (lambda run: replace(run, samples=run.samples.assign(value=np.nan)), "no finite value"),
        (
            lambda run: replace(run, results=(replace(run.results[0], details={"x": float("inf")}), run.results[1])),
            "details of recent_metric cannot be stored",
        ),
    ],
)  # fmt: skip
def test_a_run_that_is_not_as_it_has_to_be_is_refused(
    history: History, wrong: Callable[[Run], Run], message: str
) -> None:
    with pytest.raises(BenchmarkError, match=message):
        store_run(history, wrong(a_run()))
    assert not history.exists()


def test_rows_that_break_a_rule_are_refused_before_anything_is_written(history: History) -> None:
    with pytest.raises(HistoryError, match="cannot be stored"):
        store_run(history, changed(a_run(), origin="invented"))
    assert not history.exists()


# A held, damaged or newer file.


def test_a_run_waits_beside_a_history_that_is_held_and_is_taken_in_later(tmp_path: Path) -> None:
    told: list[str] = []
    history = History(tmp_path / "h.duckdb", lock_wait_s=0.7, narrate=told.append)
    first, second = a_run(), a_run(START + timedelta(days=1))
    store_run(history, first)
    script = f"import duckdb, time; c = duckdb.connect({str(history.file)!r}); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        try:
            spooled = store_run(history, second)
        finally:
            holder.kill()
    assert spooled is not None
    assert spooled.bundle.is_dir()
    assert f"process {holder.pid}" in told[0]
    assert told[0].startswith("Waiting for the history")
    assert "the next writer takes it in" in told[1]
    assert [header.run_id for header in run_headers(history)] == [first.header.run_id, second.header.run_id]
    assert history.waiting() == []
    pd.testing.assert_frame_equal(load_run(history, second.header.run_id).samples, second.samples, check_exact=True)


def test_a_run_is_kept_where_the_history_is_damaged_or_newer(history: History) -> None:
    run = a_run()
    store_run(history, run)
    whole = history.file.read_bytes()
    history.file.write_bytes(b"no database " * 1_000)
    later = a_run(START + timedelta(days=1))
    with pytest.raises(HistoryError, match="cannot be opened") as caught:
        store_run(history, later)
    assert str(history.waiting()[0]) in caught.value.next_step
    history.file.write_bytes(whole)
    assert len(run_headers(history)) == 2


def test_a_damaged_bundle_in_the_spool_is_put_aside_and_named(tmp_path: Path) -> None:
    told: list[str] = []
    history = History(tmp_path / "h.duckdb", narrate=told.append)
    bad = bundles.write(history.spool, {"job_run": _job_run()})
    (bad / "job_run.parquet").write_bytes(b"PAR1 and then nothing")
    run = a_run()
    store_run(history, run)
    assert load_run(history, run.header.run_id).header == run.header
    assert [path.name for path in history.waiting()] == [f"{bad.name}.refused"]
    assert "not as it was written" in told[0]


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    for use in (lambda: run_headers(History(file)), lambda: store_run(History(file), a_run())):
        with pytest.raises(HistoryError, match="not a history of ms5ops"):
            use()


# Files from before benchmarks were kept.


def _job_run() -> pd.DataFrame:
    row = {"source": "test", "job_id": 7, "started_at": pd.Timestamp(START), "finished_at": None, "succeeded": True}
    return pd.DataFrame([row])


def _older_file(file: Path) -> None:
    """A history as the first version made it, with one job run."""
    number, script = migrations()[0]
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at TIMESTAMPTZ NOT NULL)")
        connection.execute(script.read_text())
        connection.execute("INSERT INTO schema_version VALUES (?, now())", [number])
        connection.execute("INSERT INTO job_run VALUES ('test', 7, now(), now(), true, NULL)")


def _upgrade_and_die(file: Path) -> None:
    real = Path.read_text
    newest = migrations()[-1][1]

    def read(path: Path, *arguments: object, **named: object) -> str:
        if path == newest:
            die()
        return real(path, *arguments, **named)  # type: ignore[arg-type]

    Path.read_text = read  # type: ignore[assignment,method-assign]
    run_headers(History(file))


def test_a_file_from_before_is_upgraded_in_place_even_after_a_crash_in_the_middle(tmp_path: Path) -> None:
    file = tmp_path / "h.duckdb"
    _older_file(file)
    dying = started(_upgrade_and_die, file)
    dying.join()
    assert dying.exitcode == -signal.SIGKILL
    with duckdb.connect(str(file)) as connection:
        assert connection.execute("SELECT max(version) FROM schema_version").fetchall() == [(len(migrations()) - 1,)]
    history = History(file)
    assert run_headers(history) == ()
    store_run(history, run := a_run())
    assert load_run(history, run.header.run_id).header == run.header
    assert int(history.read("contents")["job_runs"].iloc[0]) == 1
    with duckdb.connect(str(file), read_only=True) as connection:
        stored = connection.execute("SELECT version FROM schema_version ORDER BY version").fetchall()
    assert stored == [(number,) for number, _ in migrations()]


def test_every_table_has_its_place_in_the_order_of_adding() -> None:
    with in_memory() as connection:
        schema.migrate(connection, "in memory")
        tables = {str(row[0]) for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert set(schema.TABLES) == tables - {"schema_version", "mirrored_bundle"}


# Many processes, and dying ones.


def _store_and_read(file: Path, number: int) -> None:
    history = History(file, lock_wait_s=90)
    run = a_run(START + timedelta(minutes=number), label=str(number))
    if store_run(history, run) is not None or number not in {int(one.label or -1) for one in run_headers(history)}:
        os._exit(3)


def test_eight_processes_write_and_read_at_once_without_loss(tmp_path: Path) -> None:
    file = tmp_path / "h.duckdb"
    writers = [started(_store_and_read, file, number) for number in range(8)]
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 8
    history = History(file)
    headers = run_headers(history)
    assert [int(header.label or -1) for header in headers] == list(range(8))
    assert sample_count(history) == 8 * 20
    assert history.waiting() == []


def _store_for_ever(file: Path, first: int, finished: Path) -> None:
    history = History(file)
    for number in range(first, first + 1_000):
        store_run(history, a_run(START + timedelta(minutes=number), label=str(number)))
        note(finished, str(number))


def test_kill_9_at_any_point_loses_no_stored_run(tmp_path: Path) -> None:
    file, finished = tmp_path / "h.duckdb", tmp_path / "finished"
    finished.touch()
    generator = random.Random(4)
    for attempt in range(4):
        before = finished.stat().st_size
        writer = started(_store_for_ever, file, 1_000 * attempt, finished)
        while finished.stat().st_size == before:
            time.sleep(0.01)
        time.sleep(generator.uniform(0, 0.15))
        writer.kill()
        writer.join()
    history = History(file)
    headers = run_headers(history)
    stored = {int(header.label or -1) for header in headers}
    done = {int(line) for line in finished.read_text().split()}
    assert done <= stored
    assert len(stored) <= len(done) + 4
    assert sample_count(history) == 20 * len(headers)
    assert history.waiting() == []


def _store_and_die_at(file: Path, module: str, function: str) -> None:
    setattr(sys.modules[module], function, die)
    store_run(History(file), a_run())


@pytest.mark.parametrize(
    ("function", "is_stored"),
    [("ms5ops.history.bundles._to_disk", False), ("ms5ops.history.bundles.take_in", True),
     ("ms5ops.history.bundles.remove", True)],
)  # fmt: skip
def test_a_run_is_whole_and_there_once_or_not_at_all(tmp_path: Path, function: str, is_stored: bool) -> None:
    file = tmp_path / "h.duckdb"
    module, name = function.rsplit(".", 1)
    dying = started(_store_and_die_at, file, module, name)
    dying.join()
    assert dying.exitcode == -signal.SIGKILL
    history = History(file)
    assert len(run_headers(history)) == int(is_stored)
    store_run(history, run := a_run())
    assert len(run_headers(history)) == 1
    pd.testing.assert_frame_equal(load_run(history, run.header.run_id).samples, run.samples, check_exact=True)


def test_rests_of_killed_processes_are_swept_a_day_later(history: History) -> None:
    store_run(history, a_run())
    old, new = history.spool / f"{bundles.HIDDEN}old", history.spool / f"{bundles.HIDDEN}new"
    for rest in (old, new):
        rest.mkdir()
        (rest / "job_run.parquet").touch()
    database = history.file.with_name(f"{bundles.HIDDEN}old.duckdb")
    database.touch()
    for rest in (old, database):
        os.utime(rest, (0, 0))
    store_run(history, a_run(START + timedelta(days=1)))
    assert not old.exists()
    assert not database.exists()
    assert new.exists()


def test_a_reader_who_may_not_write_reads_what_is_stored(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    store_run(history, run := a_run())
    bundles.write(history.spool, {"job_run": _job_run()})

    def refuse(*_arguments: object, **_named: object) -> None:
        raise HistoryError("The history cannot be written.", "Ask its owner.")

    told: list[str] = []
    history.narrate = told.append
    monkeypatch.setattr(schema, "migrate", refuse)
    assert [header.run_id for header in run_headers(history)] == [run.header.run_id]
    assert told == ["The history cannot be written. Ask its owner."]
    assert len(history.waiting()) == 1


def test_nothing_in_the_code_changes_or_deletes_what_is_stored() -> None:
    sources = [*(paths.PROJECT / "ms5ops" / "history").glob("*.py"), paths.PROJECT / "ms5ops/benchmark/store.py"]
    sources += (paths.SQL / "history").rglob("*.sql")
    for source in sources:
        text = source.read_text()
        assert not any(word in text for word in ("DELETE FROM", "UPDATE ", "OR REPLACE", "TRUNCATE", "DROP ")), source
