"""Runs as processes of their own: exactly one, whoever asks, and however the one who asked ends."""

import fcntl
import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ms5ops import paths
from ms5ops.access import accounts, audit
from ms5ops.access.roles import Actor
from ms5ops.alerts.reading import read_material
from ms5ops.config import load_settings
from ms5ops.control import anchors, progress, runs
from ms5ops.control.plans import KeptPlan
from ms5ops.control.runs import Options, Order, Run
from ms5ops.control.service import Service
from ms5ops.control.store import ControlError, control_store, written
from ms5ops.database import Database
from ms5ops.environments import connect, source_id
from ms5ops.history import History
from ms5ops.rollout import journal, lease
from ms5ops.rollout.journal import Who
from ms5ops.rollout.limits import Limits
from ms5ops.sandbox import process
from tests.conftest import FORKS

pytestmark = [pytest.mark.xdist_group("control-runs"), pytest.mark.timeout(180)]


@pytest.fixture
def ready(engine: Path, people_at: Callable[[], dict[str, Actor]]) -> tuple[Service, dict[str, Actor], KeptPlan]:
    people, service = people_at(), Service.here()
    return service, people, service.keep_plan(people["author"], "sandbox", phases=(2, 3, 4))


def ended(service: Service, run: Run, within_s: float = 90) -> Run:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        runs.at_work(service.store, run.order.environment)
        now = runs.named(service.store, run.id)
        if not now.is_open:
            return now
        time.sleep(0.1)
    raise AssertionError(f"still {now.stage}: {runs.log_tail(now)}")


def test_whoever_else_asks_is_not_taken_for_the_process(home: Path) -> None:
    runs.folder().mkdir()
    with (runs.folder() / "one.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_SH)  # as another page holds it while it asks
        assert not runs.is_alive("one")
        fcntl.flock(other, fcntl.LOCK_EX)
        assert runs.is_alive("one")
    assert not runs.is_alive("one")


def test_where_no_process_can_be_started_no_run_is_entered(home: Path) -> None:
    store = control_store()
    runs.folder().write_text("in the way", encoding="utf-8")
    with pytest.raises(ControlError, match="No process could be started"):
        runs.start(store, Order("benchmark", "sandbox"), Actor("someone", "dba"))
    assert store.rows("open_runs", environment="sandbox") == []


def test_a_run_is_dead_without_its_lock_and_alive_with_it_whatever_its_host_was_called(home: Path) -> None:
    store = control_store()
    runs.folder().mkdir()
    store.change(
        "add_run",
        id="one-run", kind="apply", environment="plant", plan=None, deployment=None, actor="author", provider="local",
        options=json.dumps(asdict(Options())), asked_at=written(store.now()), host="a-container-that-was-replaced",
    )  # fmt: skip
    with (runs.folder() / "one-run.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        found = runs.at_work(store, "plant")
        assert found is not None
        assert found.id == "one-run"
    assert runs.at_work(store, "plant") is None
    assert runs.named(store, "one-run").outcome == "died"


def until(what: Callable[[], bool], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def database() -> Database:
    return Database(process.target())


def until_begun() -> None:
    """Wait until the first operation is done."""
    reading = database()

    def begun() -> bool:
        found = journal.deployments(reading)
        return bool(found) and found[0].done >= 1

    until(begun)


def click(variables: dict[str, str], plan: str, who: str, answers: Any) -> None:
    """A console's click, in a process of its own, and the console's violent end.

    ``variables``: this test's environment, since the server of forks has that of when it began.
    """
    os.environ.update(variables)
    order = Order("apply", "sandbox", plan=plan)
    run, is_new = Service(load_settings(), control_store()).start(Actor(who, "operator"), order, typed="sandbox")
    answers.put((run.id, is_new))
    answers.close()
    answers.join_thread()
    os.kill(os.getpid(), signal.SIGKILL)


def test_one_run_from_two_clicks_paused_resumed_and_taken_back(
    ready: tuple[Service, dict[str, Actor], KeptPlan],
) -> None:
    service, people, kept = ready
    answers = FORKS.Queue()
    consoles = [
        FORKS.Process(target=click, args=(dict(os.environ), kept.id, who, answers)) for who in ("author", "second")
    ]
    for one in consoles:
        one.start()
    (first, new), (second, also_new) = answers.get(timeout=60), answers.get(timeout=60)
    assert first == second
    assert {new, also_new} == {True, False}
    until_begun()
    known = progress.known_operations(database(), UUID(first))
    elsewhen = service.now() + timedelta(days=92)  # as where the server's calendar is another, or its clock is wrong
    assert progress.read_live(database(), UUID(first), known, elsewhen).elapsed_seconds < 3_600
    service.ask(people["operator"], "sandbox", first, "pause")
    for one in consoles:
        one.join(30)
        assert one.exitcode == -signal.SIGKILL  # and what they started goes on
    paused = ended(service, runs.named(service.store, first))
    assert paused.outcome == "paused", (paused.message, runs.log_tail(paused))
    assert len(journal.deployments(database())) == 1
    assert journal.deployment(database()).id == UUID(first)  # ?run= is the deployment's id
    with pytest.raises(ControlError, match="not waiting for a process"):
        runs.claim(service.store, first)

    again, _ = service.start(people["second"], Order("resume", "sandbox", deployment=first), typed="sandbox")
    done = ended(service, again)
    assert done.outcome == "done", (done.message, runs.log_tail(done))
    assert [one["verdict"] for one in done.checks["after"]]
    known = progress.known_operations(database(), UUID(first))
    live = progress.read_live(database(), UUID(first), known, service.now())
    assert (live.fraction, live.is_working, live.is_stranded, live.left_seconds) == (1.0, False, False, None)
    drifts(service)
    old_log = kept_log()

    reports = paths.state_folder() / "reports"
    shutil.rmtree(reports)
    reports.write_text("in the way", encoding="utf-8")
    back = Order("rollback", "sandbox", deployment=first, options=Options(accept_loss=True, force=True))
    taken, _ = service.start(people["operator"], back, typed="sandbox")
    last = ended(service, taken)
    assert last.outcome == "rolled back", last.message
    assert last.message is not None
    assert last.message.startswith("No report was written: The report cannot be written into ")  # and that alone
    told = [(one.actor, one.action, one.outcome) for one in reversed(audit.entries())]
    assert ("second", "apply", "done") in told
    assert told[-2:] == [("operator", "roll back", "begun"), ("operator", "roll back", "done")]
    is_witnessed(service, old_log)


LOG = ("access.sqlite", "access.sqlite-wal", "audit.head", "audit.key")


def kept_log() -> dict[str, bytes]:
    """All files of the audit log, as somebody would keep them to put them back later."""
    files = [paths.state_folder() / name for name in LOG]
    return {file.name: file.read_bytes() for file in files if file.exists()}


def is_witnessed(service: Service, old_log: dict[str, bytes]) -> None:
    """An old log, put back whole with its key and its head, is whole by itself; the database's journal knows more."""
    heads = anchors.read(service.settings).heads
    assert len(heads) >= 6  # when it began, paused, went on, ended, was to be taken back, and was
    assert audit.verify(kept=heads).intact
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.setattr(socket, "gethostname", lambda: "a container made anew")
        assert anchors.read(service.settings).heads == heads
        key = paths.state_folder() / "audit.key"
        key.rename(key.with_suffix(".away"))
        assert anchors.read(service.settings).heads == (), "another host with another log"
    assert anchors.read(service.settings).heads == heads, "the same place, from which the key is gone"
    key.with_suffix(".away").rename(key)
    for name in LOG:
        (paths.state_folder() / name).unlink(missing_ok=True)
    for name, content in old_log.items():
        (paths.state_folder() / name).write_bytes(content)
    assert audit.verify().intact
    findings = audit.verify(kept=heads).findings
    assert findings
    assert all("as it was noted elsewhere, is not in the log" in one for one in findings)


def drifts(service: Service) -> None:
    """Nothing differs after a deployment, until somebody changes something by hand."""
    connected = connect(service.settings, "sandbox")

    def look() -> tuple[str, ...]:
        found = service.drift(connected, source_id(connected))
        assert found is not None
        return found.differences

    assert look() == ()
    with_writing = Database(process.target(), "write")
    with_writing.execute("COMMENT ON TABLE factory_telemetry.metric_hist IS 'by hand'")
    assert any("by hand" in line for line in look())
    last = journal.deployment(with_writing)
    limits = Limits()
    with (
        with_writing.session() as session,
        lease.held(with_writing, session, last.id, Who.here(), limits, embedded=True),
    ):
        assert service.drift(connected, source_id(connected)) is None  # a command line at work, wherever it runs
        assert service.is_changing(connected)
        told = read_material(service, "sandbox", History())[0].drift
        assert told.error is not None
        assert "is being changed" in told.error.happened
    assert not service.is_changing(connected)
    found = read_material(service, "sandbox", History())[0].drift.value
    assert found is not None
    assert found.differences
    with_writing.execute("COMMENT ON TABLE factory_telemetry.metric_hist IS NULL")
    assert look() == ()


def test_what_is_refused_in_its_process_and_what_dies(ready: tuple[Service, dict[str, Actor], KeptPlan]) -> None:
    service, people, kept = ready
    accounts.set_role("author", "viewer")
    run, _ = runs.start(service.store, Order("apply", "sandbox", plan=kept.id), people["author"])
    last = ended(service, run)
    assert (last.outcome, "takes operator" in (last.message or "")) == ("refused", True)
    assert journal.deployments(database()) == ()
    assert (audit.entries()[0].actor, audit.entries()[0].outcome) == ("author", "refused")

    run, _ = service.start(people["second"], Order("apply", "sandbox", plan=kept.id), typed="sandbox")
    until_begun()
    pid = runs.named(service.store, run.id).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert ended(service, run).outcome == "died"
    assert journal.deployment(database()).status == "running"  # nobody could say otherwise
    assert runs.at_work(service.store, "sandbox") is None
