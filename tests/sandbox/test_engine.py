"""The embedded engine through an ordinary driver: its process, isolation of clients, and what it survives."""

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.errors
import pytest

from ms5ops.database import Database
from ms5ops.errors import ReadTimeout, SandboxError
from ms5ops.sandbox import process
from tests.conftest import Sandboxes
from tests.sandbox.conftest import Connect, ask, client, own_engine


def test_state_is_private_and_status_knows_the_engine(engine: process.Running) -> None:
    state = engine.folder / "engine.json"
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    status = process.status(engine.folder)
    assert status.running
    assert status.pid == engine.pid
    assert status.memory_bytes is not None
    assert status.memory_bytes > 50_000_000
    assert status.data_bytes > 10_000_000
    assert engine.secret.get_secret_value() not in status.log_file.read_text()
    assert process.start(engine.folder) == engine
    assert process.target(engine.folder).port == engine.port


def test_nothing_runs_in_an_empty_folder(tmp_path: Path) -> None:
    assert not process.status(tmp_path / "none").running
    assert process.stop(tmp_path / "none") is False
    process.wipe(tmp_path / "none")
    with pytest.raises(SandboxError, match="python -m ms5ops sandbox start"):
        process.target(tmp_path / "none")


def test_an_engine_that_ends_while_starting_is_reported(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(SandboxError, match="ended while starting"):  # and not: "did not come up in 60 s"
        process.start(tmp_path)


def test_a_missing_package_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "ENGINE", tmp_path)
    with pytest.raises(SandboxError, match="make setup"):
        process.start(tmp_path / "state")


def test_reading_sessions_of_the_console(engine: process.Running) -> None:
    database = Database(engine.target, "read")
    try:
        assert database.row("SELECT current_database() AS name")["name"] == "factory_telemetry"
        database.execute("SET statement_timeout = 300")
        with pytest.raises(ReadTimeout):
            database.rows("SELECT pg_sleep(60)")
    finally:
        database.close()


def test_settings_stay_with_their_client(connect: Connect) -> None:
    reader, writer = connect(), connect(options="-c statement_timeout=7s -c timezone=Asia/Tokyo")
    ask(reader, "SET default_transaction_read_only = on; SET lock_timeout = 500")
    ask(writer, "CREATE TABLE settings_probe (i int)")
    assert ask(writer, "SHOW lock_timeout") == [("0",)]
    assert ask(writer, "SHOW timezone") == [("Asia/Tokyo",)]
    assert ask(reader, "SHOW timezone") == [("UTC",)]
    assert ask(reader, "SHOW lock_timeout") == [("500ms",)]
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        ask(reader, "INSERT INTO settings_probe VALUES (1)")
    ask(writer, "SET timezone = 'Europe/Berlin'")
    assert writer.get_parameter_status("TimeZone") == "Europe/Berlin"
    ask(writer, "RESET timezone")
    assert ask(writer, "SHOW timezone") == [("Asia/Tokyo",)]
    writer.autocommit = False
    ask(writer, "SET LOCAL work_mem = '5MB'")
    ask(writer, "SET maintenance_work_mem = '7MB'")
    writer.rollback()
    writer.autocommit = True
    assert ask(reader, "SHOW work_mem") == [("4MB",)]
    assert ask(writer, "SHOW maintenance_work_mem") == [("64MB",)]
    ask(writer, "DROP TABLE settings_probe")


def test_a_wrong_startup_option_is_refused(connect: Connect) -> None:
    with pytest.raises(psycopg2.Error, match="nosuch_option"):  # at the latest by the first query
        ask(connect(options="-c nosuch_option=1"), "SELECT 1")


def test_a_wrong_startup_option_is_refused_when_a_busy_engine_is_free(connect: Connect) -> None:
    holder = connect()
    holder.autocommit = False
    ask(holder, "SELECT 1")
    late = connect(options="-c nosuch_option=1")  # it cannot be tried now, and connecting does not wait
    holder.rollback()
    for _ in range(2):
        with pytest.raises(psycopg2.errors.UndefinedObject, match="nosuch_option"):
            ask(late, "SELECT 1")
    assert ask(holder, "SELECT 2") == [(2,)]


def test_database_settings_reach_new_clients(connect: Connect) -> None:
    first = connect()
    ask(first, "ALTER DATABASE factory_telemetry SET work_mem = '6MB'")
    try:
        assert ask(connect(), "SHOW work_mem") == [("6MB",)]
    finally:
        ask(first, "ALTER DATABASE factory_telemetry RESET work_mem")


def test_transactions_do_not_interleave(connect: Connect) -> None:
    setup = connect()
    ask(setup, "CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL)")
    ask(setup, "INSERT INTO accounts SELECT i, 100 FROM generate_series(0, 9) i")

    def work(number: int) -> list[int]:
        connection = connect()
        totals = []
        for turn in range(20):
            if turn % 4 == 3:
                totals += [total for (total,) in ask(connection, "SELECT sum(balance)::int FROM accounts")]
                continue
            connection.autocommit = False
            source, sink = (number + turn) % 10, (number * 3 + turn + 1) % 10
            # Read, then write what was read: an interleaved transaction would lose the other's change.
            for account, change in ((source, -1), (sink, 1)):
                ((balance,),) = ask(connection, "SELECT balance FROM accounts WHERE id = %s", (account,))
                ask(connection, "UPDATE accounts SET balance = %s WHERE id = %s", (balance + change, account))
            if turn % 5 == 4:
                connection.rollback()
            else:
                connection.commit()
            connection.autocommit = True
        return totals

    with ThreadPoolExecutor(10) as pool:
        seen = [total for totals in pool.map(work, range(10)) for total in totals]
    assert seen == [1000] * 50
    assert ask(setup, "SELECT sum(balance)::int FROM accounts") == [(1000,)]
    ask(setup, "DROP TABLE accounts")


def test_a_client_lost_in_its_transaction_is_rolled_back(connect: Connect) -> None:
    other, lost = connect(), connect()
    ask(other, "CREATE TABLE lost_rows (i int)")
    lost.autocommit = False
    ask(lost, "INSERT INTO lost_rows VALUES (1)")
    lost.close()
    assert ask(other, "SELECT count(*) FROM lost_rows") == [(0,)]
    ask(other, "DROP TABLE lost_rows")


def test_a_cancelled_statement_leaves_the_others_alone(connect: Connect) -> None:
    victim, other = connect(), connect()
    timer = threading.Timer(0.5, victim.cancel)
    timer.start()
    with pytest.raises(psycopg2.errors.QueryCanceled, match="user request"):
        ask(victim, "SELECT pg_sleep(3600)")
    timer.join()
    assert ask(other, "SELECT 1") == [(1,)]
    assert ask(victim, "SELECT 2") == [(2,)]
    victim.cancel()  # nothing runs: nothing happens
    assert ask(victim, "SELECT 3") == [(3,)]


def test_waiting_clients_can_be_cancelled_and_time_out(connect: Connect) -> None:
    holder, waiter, impatient = connect(), connect(), connect(options="-c statement_timeout=300")
    holder.autocommit = False
    ask(holder, "SELECT 1")
    timer = threading.Timer(0.5, waiter.cancel)
    timer.start()
    with pytest.raises(psycopg2.errors.QueryCanceled):
        ask(waiter, "SELECT 1")
    timer.join()
    with pytest.raises(psycopg2.errors.QueryCanceled, match="statement timeout"):
        ask(impatient, "SELECT 1")
    for limit in ("300", "0.3s", "+3e2", "0x12C"):  # of clients that come while the engine is held, too
        with pytest.raises(psycopg2.errors.QueryCanceled, match="statement timeout"):
            ask(connect(options=f"-c statement_timeout={limit}"), "SELECT 1")
    assert ask(holder, "SELECT 4") == [(4,)]  # its transaction was not touched
    holder.rollback()
    assert ask(impatient, "SELECT 5") == [(5,)]


def test_a_timeout_fails_the_whole_transaction(connect: Connect) -> None:
    connection = connect()
    ask(connection, "CREATE TABLE timed (i int)")
    connection.autocommit = False
    ask(connection, "SET LOCAL statement_timeout = '300ms'")
    ask(connection, "INSERT INTO timed VALUES (1)")
    with pytest.raises(psycopg2.errors.QueryCanceled):
        ask(connection, "DO $$ BEGIN LOOP END LOOP; END $$")
    with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
        ask(connection, "INSERT INTO timed VALUES (2)")
    connection.rollback()
    assert ask(connection, "SELECT count(*) FROM timed") == [(0,)]
    connection.commit()
    connection.autocommit = True
    assert ask(connection, "SHOW statement_timeout") == [("0",)]
    ask(connection, "DROP TABLE timed")


@pytest.mark.parametrize(
    ("sql", "state"),
    [
        ("LOAD 'nosuch'", "58P01"),
        ("COPY settings FROM STDIN", "0A000"),
        ("SELECT 1; cOpY /* x */ t\n FROM --y\n stdin WITH csv", "0A000"),
        ("SELECT recurse(1)", "54001"),
        ("SELECT length(repeat(repeat('x', 1000000), 1100))", None),
        ("START_REPLICATION SLOT x LOGICAL 0/0", "42601"),
        ("SELECT 1/0", "22012"),
    ],
)
def test_hostile_statements_end_in_an_error(connect: Connect, sql: str, state: str | None) -> None:
    connection = connect(options="-c statement_timeout=20s")
    ask(
        connection,
        "CREATE OR REPLACE FUNCTION recurse(i int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN recurse(i + 1); END'",
    )
    with pytest.raises(psycopg2.Error) as caught:
        ask(connection, sql)
    if state is not None:
        assert caught.value.pgcode == state
    assert ask(connect(), "SELECT 1") == [(1,)]


def test_harmless_statements_that_look_hostile(connect: Connect, engine: process.Running) -> None:
    connection = connect()
    ask(connection, "SELECT pg_terminate_backend(pg_backend_pid())")
    text = "COPY t FROM STDIN"
    assert ask(connection, f"SELECT '{text}', $x$; {text}$x$") == [(text, f"; {text}")]
    with open(os.devnull, "w", encoding="utf-8") as sink, connection.cursor() as cursor:
        cursor.copy_expert("COPY (SELECT * FROM generate_series(1, 1000)) TO STDOUT", sink)
    assert os.path.exists(f"/proc/{engine.pid}") or sys.platform != "linux"


def test_memory_is_given_back(sandboxes: Sandboxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_EXTRA_FLAGS", ["--recycle-above-mib=600"])
    with own_engine(sandboxes, tmp_path) as running, client(running) as connection:
        ask(connection, "SET timezone = 'Asia/Tokyo'; PREPARE nothing AS SELECT 1")
        ask(connection, "SELECT length(repeat('x', 300000000))")
        deadline = time.monotonic() + 60
        while "free memory" not in (log := (tmp_path / "engine.log").read_text()) or log.count("engine ready") < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert ask(connection, "SHOW timezone") == [("Asia/Tokyo",)]


def test_a_large_result_arrives_whole(connect: Connect) -> None:
    rows = ask(connect(), "SELECT i, repeat('x', 1000) FROM generate_series(1, 40000) i")
    assert len(rows) == 40_000
    assert rows[-1] == (40_000, "x" * 1000)


def _fill(connection: Any) -> None:
    ask(connection, "CREATE TABLE m (ts timestamptz NOT NULL, d int, v float8)")
    ask(connection, "SELECT create_hypertable('m', 'ts', chunk_time_interval => interval '1 day')")
    ask(
        connection,
        "INSERT INTO m SELECT ts, d, 1 FROM generate_series('2024-01-01'::timestamptz, '2024-01-05', '1 minute') ts,"
        " generate_series(1, 3) d",
    )
    ask(connection, "ALTER TABLE m SET (timescaledb.compress, timescaledb.compress_segmentby = 'd')")
    ask(connection, "SELECT compress_chunk(c) FROM show_chunks('m') c")


def test_killed_and_restarted_engines_keep_committed_rows(sandboxes: Sandboxes, tmp_path: Path) -> None:
    with own_engine(sandboxes, tmp_path) as first, client(first) as connection:
        _fill(connection)
        rows = ask(connection, "SELECT count(*), sum(v) FROM m")
        ask(connection, "CREATE TABLE plain AS SELECT i FROM generate_series(1, 1000) i")
        os.kill(first.pid, signal.SIGKILL)
    with own_engine(sandboxes, tmp_path) as second, client(second) as connection:
        assert second.pid != first.pid
        assert (second.port, second.secret) == (first.port, first.secret)
        assert rows == [(17283, 17283.0)]
        assert ask(connection, "SELECT count(*), sum(v) FROM m") == rows
        assert ask(connection, "SELECT count(*) FROM plain") == [(1000,)]
        assert process.stop(tmp_path) is True
    with own_engine(sandboxes, tmp_path) as third, client(third) as connection:
        assert ask(connection, "SELECT count(*), sum(v) FROM m") == rows
        log = (tmp_path / "engine.log").read_text()
        assert "stopped" in log
    process.wipe(tmp_path)
    assert not (tmp_path / "data").exists()


def test_two_starts_at_once_make_one_engine(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ms5ops.sandbox import process;"
        "r = process.start(Path(sys.argv[1])); print(r.pid, r.port)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = {child.communicate(timeout=100)[0] for child in children}
    try:
        assert len(answers) == 1
        assert answers.pop().split()[0] == str(process.status(tmp_path).pid)
    finally:
        process.stop(tmp_path)
    assert not process.status(tmp_path).running
