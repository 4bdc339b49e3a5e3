"""The embedded scheduler: runs what is due, and records it where TimescaleDB does."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from tests.conftest import Sandboxes
from tests.sandbox.conftest import Connect, ask, client, own_engine


def _wait_for(connection: Any, sql: str, timeout_s: float = 15) -> list[tuple[Any, ...]]:
    """The rows of a query once it has some."""
    deadline = time.monotonic() + timeout_s
    while not (rows := ask(connection, sql)):
        assert time.monotonic() < deadline, f"still no rows: {sql}"
        time.sleep(0.1)
    return rows


def test_a_policy_runs_and_is_recorded(connect: Connect) -> None:
    connection = connect()
    ask(connection, "CREATE TABLE scheduled (ts timestamptz NOT NULL, v int)")
    ask(connection, "SELECT create_hypertable('scheduled', 'ts', chunk_time_interval => interval '1 day')")
    ask(connection, "INSERT INTO scheduled SELECT now() - i * interval '1 day', i FROM generate_series(0, 9) i")
    ask(connection, "ALTER TABLE scheduled SET (timescaledb.compress)")
    ((job,),) = ask(connection, "SELECT add_compression_policy('scheduled', interval '3 days')")
    ((runs, successes, failures, status, duration),) = _wait_for(
        connection,
        f"SELECT total_runs, total_successes, total_failures, last_run_status, last_run_duration"
        f" FROM timescaledb_information.job_stats WHERE job_id = {job} AND total_runs > 0",
    )
    assert (runs, successes, failures, status) == (1, 1, 0, "Success")
    assert duration.total_seconds() > 0
    compressed = "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_name = 'scheduled'"
    assert ask(connection, f"{compressed} AND is_compressed")[0][0] >= 6
    history = (
        f"SELECT succeeded, proc_name, config ->> 'compress_after', finish_time > start_time"
        f" FROM timescaledb_information.job_history WHERE job_id = {job}"
    )
    assert ask(connection, history) == [(True, "policy_compression", "3 days", True)]
    next_start = (
        f"SELECT s.next_start = s.last_finish + j.schedule_interval FROM _timescaledb_internal.bgw_job_stat s"
        f" JOIN timescaledb_information.jobs j USING (job_id) WHERE job_id = {job}"
    )
    assert ask(connection, next_start) == [(True,)]
    ask(connection, f"UPDATE _timescaledb_internal.bgw_job_stat SET next_start = now() WHERE job_id = {job}")
    _wait_for(connection, f"SELECT 1 FROM timescaledb_information.job_stats WHERE job_id = {job} AND total_runs = 2")
    ask(connection, "DROP TABLE scheduled")


def test_a_failing_job_is_recorded_and_given_up(connect: Connect) -> None:
    connection = connect()
    ask(
        connection,
        "CREATE PROCEDURE failing(job_id int, config jsonb) LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no oil' USING ERRCODE = '55000', HINT = 'refill'; END $$",
    )
    ((job,),) = ask(connection, "SELECT add_job('failing', '1 hour', config => '{\"k\": 1}')")
    ask(connection, f"SELECT alter_job({job}, max_retries => 2, retry_period => interval '1 second')")
    error = (
        f"SELECT sqlerrcode, err_message, proc_name FROM timescaledb_information.job_errors WHERE job_id = {job}"
        " ORDER BY start_time"
    )
    assert _wait_for(connection, error)[0] == ("55000", "no oil. refill", "failing")
    gone = f"SELECT 1 FROM timescaledb_information.jobs WHERE job_id = {job} AND NOT scheduled"
    _wait_for(connection, gone)
    stats = (
        "SELECT total_runs, total_failures, consecutive_failures, total_crashes, last_run_success"
        f" FROM _timescaledb_internal.bgw_job_stat WHERE job_id = {job}"
    )
    assert ask(connection, stats) == [(2, 2, 2, 0, False)]
    data = f"SELECT data -> 'job' ->> 'config' FROM _timescaledb_internal.bgw_job_stat_history WHERE job_id = {job}"
    assert ask(connection, data)[0] == ('{"k": 1}',)
    ask(connection, f"SELECT delete_job({job})")


def test_fixed_schedules_keep_their_slots(connect: Connect) -> None:
    connection = connect()
    ask(connection, "CREATE PROCEDURE quick(job_id int, config jsonb) LANGUAGE plpgsql AS 'BEGIN END'")
    jobs = {}
    for interval, zone in (("6 hours", None), ("1 month", None), ("1 day", "Europe/Berlin"), ("1 month", "UTC")):
        ((job,),) = ask(
            connection,
            "SELECT add_job('quick', %s, initial_start => '2020-01-31 03:17:00+00', timezone => %s)",
            (interval, zone),
        )
        jobs[job] = interval
    slots: dict[Any, Any] = {}
    deadline = time.monotonic() + 60
    while len(slots) < len(jobs) and time.monotonic() < deadline:
        rows = ask(
            connection,
            "SELECT job_id, next_start, next_start > now(), next_start <= now() + interval '31 days'"
            " FROM _timescaledb_internal.bgw_job_stat WHERE total_successes = 1",
        )
        slots = {row[0]: row[1:] for row in rows if row[0] in jobs}
        time.sleep(0.1)
    assert len(slots) == len(jobs)
    for job, (next_start, future, near) in slots.items():
        assert future
        assert near
        assert next_start.minute == 17, jobs[job]
        assert next_start.second == 0
        ask(connection, f"SELECT delete_job({job})")


def test_a_job_beyond_its_runtime_is_ended(connect: Connect) -> None:
    connection = connect()
    ask(connection, "CREATE PROCEDURE endless(job_id int, config jsonb) LANGUAGE plpgsql AS 'BEGIN LOOP END LOOP; END'")
    ((job,),) = ask(connection, "SELECT add_job('endless', '1 hour', initial_start => now() + interval '1 hour')")
    ask(connection, f"SELECT alter_job({job}, max_runtime => interval '400 ms', next_start => now())")
    (message,) = _wait_for(
        connection, f"SELECT err_message FROM timescaledb_information.job_errors WHERE job_id = {job}"
    )
    assert message == (f"failed to execute job Job {job} failed to execute.",)
    ask(connection, f"SELECT delete_job({job})")


def _wait_until_silent(connection: Any, pool: ThreadPoolExecutor) -> None:
    """Until the engine answers nothing for two seconds: a job that does not end has it to itself."""
    while True:
        asked = pool.submit(ask, connection, "SELECT 1")
        if asked not in wait([asked], timeout=2).done:
            return
        time.sleep(0.1)


def test_a_process_killed_in_a_job_is_seen_as_a_crash(sandboxes: Sandboxes, tmp_path: Path) -> None:
    with own_engine(sandboxes, tmp_path, scheduler=True) as first, client(first) as connection:
        ask(
            connection, "CREATE PROCEDURE slow(job_id int, config jsonb) LANGUAGE plpgsql AS 'BEGIN LOOP END LOOP; END'"
        )
        ((job,),) = ask(connection, "SELECT add_job('slow', '1 hour')")
        with ThreadPoolExecutor(1) as pool:
            _wait_until_silent(connection, pool)
            os.kill(first.pid, signal.SIGKILL)
    with own_engine(sandboxes, tmp_path, scheduler=True) as second, client(second) as connection:
        crashes = f"SELECT total_crashes FROM _timescaledb_internal.bgw_job_stat WHERE job_id = {job}"
        assert ask(connection, crashes) == [(1,)]
        stats = f"SELECT total_runs, total_failures FROM timescaledb_information.job_stats WHERE job_id = {job}"
        assert ask(connection, stats) == [(1, 0)]
        assert ask(connection, f"SELECT err_message FROM timescaledb_information.job_errors WHERE job_id = {job}") == [
            ("job crash detected, see server logs",)
        ]
        time.sleep(1.5)
        assert ask(connection, crashes) == [(1,)]  # not tried again at once
