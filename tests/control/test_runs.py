"""Runs as processes of their own: exactly one, whoever asks, and however the one who asked ends."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ms5ops.access import accounts, audit
from ms5ops.access.roles import Actor
from ms5ops.config import load_settings
from ms5ops.control import drift, plans, progress, runs
from ms5ops.control.plans import KeptPlan
from ms5ops.control.runs import Options, Order, Run
from ms5ops.control.service import Service
from ms5ops.control.store import ControlError, control_store
from ms5ops.database import Database
from ms5ops.environments import connect, source_id
from ms5ops.rollout import journal
from ms5ops.sandbox import process

pytestmark = [pytest.mark.xdist_group("control-runs"), pytest.mark.timeout(180)]
FORKS = multiprocessing.get_context("forkserver")


@pytest.fixture
def ready(engine: Path, people_at: Callable[[], dict[str, Actor]]) -> tuple[Service, dict[str, Actor], KeptPlan]:
    people, service = people_at(), Service.here()
    return service, people, service.keep_plan(people["author"], "sandbox", phases=(2, 3))


def ended(service: Service, run: Run, within_s: float = 90) -> Run:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        runs.at_work(service.store, run.order.environment)
        now = runs.named(service.store, run.id)
        if not now.is_open:
            return now
        time.sleep(0.1)
    raise AssertionError(f"still {now.stage}: {runs.log_tail(now)}")


def until(what: Callable[[], bool], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def database() -> Database:
    return Database(process.target())


def begun(least: int) -> bool:
    found = journal.deployments(database())
    return bool(found) and found[0].done >= least


def click(plan: str, who: str, answers: Any, end: bool = False) -> None:
    """A console's click, in a process of its own; ``end``: the console is then killed."""
    order = Order("apply", "sandbox", plan=plan)
    run, is_new = Service(load_settings(), control_store()).start(Actor(who, "operator"), order, typed="sandbox")
    answers.put((run.id, is_new))
    if end:
        time.sleep(0.2)  # the answer is on its way
        os.kill(os.getpid(), signal.SIGKILL)


def test_two_consoles_click_at_once_and_one_is_killed(ready: tuple[Service, dict[str, Actor], KeptPlan]) -> None:
    service, _, kept = ready
    answers = FORKS.Queue()
    consoles = [FORKS.Process(target=click, args=(kept.id, who, answers, True)) for who in ("author", "second")]
    for one in consoles:
        one.start()
    (first, new), (second, also_new) = answers.get(timeout=60), answers.get(timeout=60)
    assert first == second
    assert {new, also_new} == {True, False}
    for one in consoles:
        one.join(30)
        assert one.exitcode == -signal.SIGKILL
    run = ended(service, runs.named(service.store, first))
    assert run.outcome == "done", (run.message, runs.log_tail(run))
    assert len(journal.deployments(database())) == 1
    assert journal.deployment(database()).id == UUID(first)  # ?run= is the deployment's id

    live = progress.read_live(
        database(), UUID(first), progress.known_operations(database(), UUID(first)), service.now()
    )
    assert (live.fraction, live.is_working, live.is_stranded, live.left_seconds) == (1.0, False, False, None)
    assert [one["verdict"] for one in run.checks["after"]]

    connected = connect(service.settings, "sandbox")
    source = source_id(connected)
    looked = drift.read_drift(service.store, source, lambda policy: service.state(connected, policy))
    assert looked is not None
    assert looked.differences == ()
    Database(process.target(), "write").execute("COMMENT ON TABLE factory_telemetry.metric_hist IS 'by hand'")
    looked = drift.read_drift(service.store, source, lambda policy: service.state(connected, policy))
    assert looked is not None
    assert any("by hand" in line for line in looked.differences)
    with pytest.raises(ControlError, match="not waiting for a process"):
        runs.claim(service.store, first)


def test_it_pauses_goes_on_and_is_taken_back(ready: tuple[Service, dict[str, Actor], KeptPlan]) -> None:
    service, people, kept = ready
    trial, _ = service.start(people["dba"], Order("dry run", "sandbox", plan=kept.id))
    assert ended(service, trial).outcome == "done"
    assert plans.trials(service.store, kept)[0].tried_by == "dba"
    assert journal.deployments(database()) == ()

    run, _ = service.start(people["second"], Order("apply", "sandbox", plan=kept.id), typed="sandbox")
    until(lambda: begun(1))
    service.ask(people["operator"], "sandbox", run.id, "pause")
    paused = ended(service, run)
    assert paused.outcome == "paused"
    assert journal.deployment(database()).done < kept.operations

    again, _ = service.start(people["second"], Order("resume", "sandbox", deployment=run.id), typed="sandbox")
    assert ended(service, again).outcome == "done"
    back = Order("rollback", "sandbox", deployment=run.id, options=Options(accept_loss=True))
    taken, _ = service.start(people["operator"], back, typed="sandbox")
    last = ended(service, taken)
    assert last.outcome == "rolled back", last.message
    told = [(one.actor, one.action, one.outcome) for one in reversed(audit.entries())]
    assert ("second", "apply", "begun") in told
    assert told[-2:] == [("operator", "roll back", "begun"), ("operator", "roll back", "done")]
    assert audit.verify().intact


def test_a_process_that_dies_is_noticed_and_its_work_given_up(
    ready: tuple[Service, dict[str, Actor], KeptPlan],
) -> None:
    service, people, kept = ready
    run, _ = service.start(people["second"], Order("apply", "sandbox", plan=kept.id), typed="sandbox")
    until(lambda: begun(1))
    pid = runs.named(service.store, run.id).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert ended(service, run).outcome == "died"
    assert journal.deployment(database()).status == "running"  # nobody could say otherwise
    assert runs.at_work(service.store, "sandbox") is None


def test_the_process_asks_again_whether_it_may(ready: tuple[Service, dict[str, Actor], KeptPlan]) -> None:
    service, people, kept = ready
    accounts.set_role("second", "viewer")
    run, _ = runs.start(service.store, Order("apply", "sandbox", plan=kept.id), people["second"])
    last = ended(service, run)
    assert (last.outcome, "takes operator" in (last.message or "")) == ("refused", True)
    assert journal.deployments(database()) == ()
    assert (audit.entries()[0].actor, audit.entries()[0].outcome) == ("second", "refused")
