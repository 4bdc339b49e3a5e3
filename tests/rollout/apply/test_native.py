"""On native servers: real locks, index builds chunk by chunk, connections that break, pg_dump."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ms5ops.database import Database, Target
from ms5ops.errors import BackupError, LeaseTaken, ServerError
from ms5ops.policy.document import load_policy
from ms5ops.rollout import backup, journal
from ms5ops.rollout.check import Check
from ms5ops.rollout.executor import apply, resume
from ms5ops.rollout.precheck import prechecks
from ms5ops.rollout.rollback import rollback
from ms5ops.rollout.running import Progress, Stop
from tests.native import native_database
from tests.rollout.apply.handmade import (
    ENABLE,
    POLICY,
    QUICK,
    RESET,
    VERSIONS,
    WHOLE,
    Plan,
    apply_and_die,
    apply_and_die_after,
    catalogue,
    conditions,
    connected_to,
    index,
    outside,
    when_stale,
)

pytestmark = [pytest.mark.native, pytest.mark.xdist_group("applying-native")]


@pytest.fixture
def server(native: Target) -> Iterator[Database]:
    """A database of our own on each server, with the small hypertable."""
    with native_database(native, edition="community") as there:
        database = Database(there, "write")
        database.execute(RESET)
        yield database
        database.close()


def on_server(**more: object):  # type: ignore[no-untyped-def]
    return conditions(embedded=False, **more)


def test_all_is_applied_and_taken_back(server: Database) -> None:
    before = catalogue(server)
    outcome = apply(server, WHOLE, on_server(), server_versions=VERSIONS)
    assert (outcome.status, outcome.left) == ("done", ()), outcome.reason
    assert "idx_b" in catalogue(server)
    outcome = rollback(server, journal.deployment(server), on_server())
    assert outcome.status == "rolled back", outcome.reason
    assert catalogue(server) == before


def test_background_workers_run_the_policy_that_was_applied(server: Database) -> None:
    """By themselves: nothing here calls the job, nor compresses the chunks that it is for."""
    assert apply(server, Plan((ENABLE, POLICY)), on_server(), server_versions=VERSIONS).status == "done"
    runs = (
        "SELECT last_run_status, total_successes FROM timescaledb_information.job_stats s"
        " JOIN timescaledb_information.jobs j USING (job_id) WHERE j.proc_name = 'policy_compression'"
    )
    compressed = (
        "SELECT count(*) AS n FROM timescaledb_information.chunks WHERE hypertable_schema = 'probe' AND is_compressed"
    )
    deadline = time.monotonic() + 60
    while not any(one["total_successes"] for one in server.rows(runs)):
        assert time.monotonic() < deadline, server.rows(runs)
        time.sleep(0.1)
    assert server.row(compressed)["n"] >= 4
    assert server.rows(runs) == [{"last_run_status": "Success", "total_successes": 1}]


@pytest.mark.parametrize("key", ["02.policy", "02.backlog", "04.idx_b", "05.refresh"])
def test_killed_after_an_operation_it_is_resumed_and_taken_back(
    server: Database, key: str, dies: Callable[..., None]
) -> None:
    before = catalogue(server)
    dies(apply_and_die_after, server.target, WHOLE, key, False)
    outcome = when_stale(lambda: resume(server, on_server(), journal.deployment(server)))
    assert outcome.status == "done", outcome.reason
    outcome = rollback(server, journal.deployment(server), on_server())
    assert outcome.status == "rolled back", outcome.reason
    assert catalogue(server) == before


@pytest.mark.parametrize("number", range(45, 200, 31))
def test_killed_before_a_statement_it_is_resumed(server: Database, number: int, dies: Callable[..., None]) -> None:
    dies(apply_and_die, server.target, WHOLE, number, False)
    outcome = when_stale(lambda: resume(server, on_server(), journal.deployment(server)))
    assert outcome.status == "done", outcome.reason


class Blocker:
    """Another session with a lock."""

    def __init__(self, database: Database, statement: str) -> None:
        self._release = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._hold, args=(database, statement))
        self._thread.start()
        assert self._ready.wait(10)

    def _hold(self, database: Database, statement: str) -> None:
        with database.session() as session, session.transaction():
            session.run(statement)
            self._ready.set()
            self._release.wait(60)

    def release(self) -> None:
        self._release.set()
        self._thread.join(10)


def test_a_lock_is_waited_for_briefly_and_often_and_nobody_queues_behind_it(server: Database) -> None:
    blocker = Blocker(server, "INSERT INTO probe.metric VALUES (now(), 1, 1)")  # an ingest that takes its time
    timer = threading.Timer(1.0, blocker.release)
    timer.start()
    pauses: list[float] = []
    ended = threading.Event()

    def ingest() -> None:
        with server.session() as session:
            while not ended.is_set():
                began = time.perf_counter()
                session.run("INSERT INTO probe.metric VALUES (now(), 1, 1)")
                pauses.append(time.perf_counter() - began)
                time.sleep(0.005)

    writer = threading.Thread(target=ingest)
    writer.start()
    try:
        plan = Plan((index("idx_a", "series, ts DESC"),))
        limits = replace(QUICK, retry_budget_s=20)
        outcome = apply(server, plan, on_server(limits=limits), server_versions=VERSIONS)
    finally:
        ended.set()
        writer.join()
        timer.join()
    assert outcome.status == "done"
    assert any(one.startswith("Try 1: Another session was in the way") for one in outcome.warnings)
    assert max(pauses) < QUICK.lock_timeout_ms / 1000 + 0.3, max(pauses)


def test_a_lock_that_is_never_had_fails_when_the_budget_is_spent(server: Database) -> None:
    blocker = Blocker(server, "LOCK TABLE probe.metric IN ACCESS EXCLUSIVE MODE")
    outcome = apply(server, Plan((index("idx_a", "ts"),)), on_server(), server_versions=VERSIONS)
    blocker.release()
    assert outcome.status == "failed"
    assert "another session was in the way for" in (outcome.reason or "")
    assert resume(server, on_server(), journal.deployment(server)).status == "done"


def test_an_index_whose_build_was_cut_off_is_dropped_and_built_again(
    server: Database, dies: Callable[..., None]
) -> None:
    chunk = server.row(
        "SELECT format('%I.%I', chunk_schema, chunk_name) AS chunk FROM timescaledb_information.chunks"
        " WHERE hypertable_schema = 'probe' ORDER BY range_start DESC OFFSET 3 LIMIT 1"
    )["chunk"]
    blocker = Blocker(server, f"LOCK TABLE {chunk} IN ROW EXCLUSIVE MODE")
    outcome = apply(
        server, Plan((outside("idx_b", "value"),)), on_server(limits=replace(QUICK, index_budget_s=0.5)),
        server_versions=VERSIONS,
    )  # fmt: skip
    assert outcome.status == "failed"
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('probe.idx_b')"
    assert server.rows(valid) == [{"indisvalid": False}]
    blocker.release()
    again = resume(server, on_server(), journal.deployment(server))
    assert again.status == "done"
    assert server.rows(valid) == [{"indisvalid": True}]
    assert any("which an earlier build left unusable" in one for one in again.warnings)


def test_what_a_killed_process_left_running_is_ended_before_another_goes_on(server: Database) -> None:
    """Its statement goes on when its client is gone: here a holder whose backend sleeps in a transaction of its own."""
    slow = replace(index("idx_a", "ts"), statements=("SELECT pg_sleep(30)", *index("idx_a", "ts").statements))
    lazy = replace(QUICK, heartbeat_s=60)  # it gives no sign of life
    ended: list[object] = []
    plan = Plan((replace(slow, transactional=False, verification=index("idx_a", "ts").verification),))
    thread = threading.Thread(
        target=lambda: ended.append(
            _error(lambda: apply(server, plan, on_server(limits=lazy), server_versions=VERSIONS))
        )
    )
    thread.start()
    time.sleep(1.5)
    began = time.monotonic()
    with pytest.raises(LeaseTaken):
        resume(server, on_server(limits=replace(QUICK, stale_after_s=60)), journal.deployment(server))
    short = replace(QUICK, cancel_after_s=0.0)
    stop = Stop()

    def report(progress: Progress) -> None:
        if progress.fraction == 0.0:
            stop.request("enough", 0.3)

    outcome = resume(server, on_server(limits=short, stop=stop, report=report), journal.deployment(server))
    thread.join(20)
    assert time.monotonic() - began < 15
    assert outcome.status == "paused"
    left = server.rows("SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)' AND state = 'active'")
    assert left == []
    assert len(ended) == 1


def _error(work: Callable[[], object]) -> object:
    try:
        return work()
    except ServerError as error:
        return error
    except Exception as error:  # noqa: BLE001  # whatever it is, the test looks at it
        return error


def test_a_connection_that_breaks_is_written_down_and_resumed(server: Database) -> None:
    def cut(progress: Progress) -> None:
        if progress.key == "02.enable" and progress.fraction == 0.0:
            server.execute(
                "SELECT pg_terminate_backend(backend_pid) FROM ms5ops.lease",
            )

    outcome = apply(server, WHOLE, on_server(report=cut), server_versions=VERSIONS)
    assert outcome.status == "failed"
    assert "was lost" in (outcome.reason or "")
    again = resume(server, on_server(), journal.deployment(server))
    assert again.status == "done", again.reason


def test_a_backup_holds_the_tables_and_the_password_stays_off_the_command_line(
    server: Database, tmp_path: Path
) -> None:
    major = int(server.row("SELECT current_setting('server_version_num')::int / 10000 AS v")["v"])
    try:
        backup.dump_tool(major)
    except BackupError as error:
        pytest.skip(error.happened)
    made = backup.make(server.target, major, ["probe.metric"], tmp_path)
    assert made.file.parent == tmp_path
    assert made.size_bytes > 1_000
    with pytest.raises(BackupError, match=r"lacks probe\.nothing"):
        backup.make(server.target, major, ["probe.nothing"], tmp_path)
    assert list(tmp_path.iterdir()) == [made.file]


def test_somebody_who_waits_for_a_lock_fails_the_check_of_activity(server: Database) -> None:
    connected = connected_to(server.target, schema="probe")

    def activity() -> Check:
        return next(one for one in prechecks(connected, load_policy()) if one.name == "activity")

    assert activity().verdict == "passed", activity().evidence
    blocker = Blocker(server, "LOCK TABLE probe.metric IN ACCESS EXCLUSIVE MODE")
    waiting = threading.Thread(target=lambda: server.execute("INSERT INTO probe.metric VALUES (now(), 1, 1)"))
    waiting.start()
    try:
        deadline = time.monotonic() + 10
        while (found := activity()).verdict == "passed" and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        blocker.release()
        waiting.join()
    assert (found.verdict, "1 waiting for locks" in found.found) == ("failed", True), found


def test_a_broken_index_fails_its_check(server: Database) -> None:
    server.execute("CREATE INDEX half_built ON probe.metric (value)")
    broken = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'probe.half_built'::regclass"
    server.execute(broken)  # as a build that was cut off leaves it
    checks = {one.name: one for one in prechecks(connected_to(server.target, schema="probe"), load_policy())}
    assert checks["bloat"].verdict == "failed"
    assert "half_built: broken" in checks["bloat"].evidence
