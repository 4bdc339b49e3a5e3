"""The journal keeps what happened, and the lease lets one at a time change the database."""

import threading
import time
from dataclasses import replace

import pytest

from ms5ops.database import Database
from ms5ops.errors import LeaseLost, LeaseTaken, RolloutError, ServerError
from ms5ops.rollout import journal, lease, report
from ms5ops.rollout.executor import apply, resume
from ms5ops.rollout.journal import Who
from ms5ops.rollout.rollback import rollback
from ms5ops.rollout.running import Progress
from ms5ops.units import instant_text
from tests.rollout.apply.handmade import (
    QUICK,
    VERSIONS,
    WHOLE,
    WRONG,
    Plan,
    apply_and_die,
    conditions,
    index,
    when_stale,
)

pytestmark = pytest.mark.xdist_group("applying")


def test_it_says_who_did_what_when_with_which_plan(probe: Database) -> None:
    outcome = apply(
        probe, WHOLE, conditions(), server_versions=VERSIONS, before_state={"tables": 5}, note="no backup: a test"
    )
    found = journal.deployment(probe)
    assert (found.id, found.number, found.status) == (outcome.deployment, 1, "done")
    assert (found.actor, found.environment, found.server_versions) == ("tester", "test", VERSIONS)
    assert found.plan_hash == journal.plan_hash(WHOLE.to_json())
    assert found.started_at < (found.finished_at or found.started_at)
    plan, before = journal.documents(probe, found.id)
    assert journal.plan_hash(plan) == found.plan_hash
    assert before == {"tables": 5}
    assert journal.deployment(probe, str(found.id)[:8]) == found
    messages = [one.message for one in journal.events(probe, found.id)]
    assert messages[0] == "Planned: 7 operations. no backup: a test"
    assert messages[-1] == "Done."


def test_what_was_noted_when_it_was_applied_outlives_its_way_back(probe: Database) -> None:
    plan = Plan((index("idx_a", "ts"), index("idx_b", "value")))
    noted = "plan: 3 of anna. no backup: a\ntest. 7 operations."
    apply(probe, plan, conditions(), server_versions=VERSIONS, note=noted)
    applied = journal.deployment(probe)
    assert (applied.applied_note, applied.notes, applied.back_began_at) == (noted, noted, None)
    assert applied.seconds is not None
    rollback(probe, applied, conditions(), note="outside window: it has to go.")
    back = journal.deployment(probe)
    began, done = instant_text(back.back_began_at), instant_text(back.finished_at)
    assert (back.applied_note, back.taken_back_at, back.seconds) == (noted, back.finished_at, None)
    assert back.notes == f"{noted} Rollback begun {began}, done {done}: outside window: it has to go."
    assert back.notes.replace("\n", " ") in report.read_report(probe, back).markdown()


def test_reasons_to_go_on_and_of_a_way_back_that_stopped_stand_beside_the_first_one(probe: Database) -> None:
    apply(probe, Plan((index("idx_a", "ts"), WRONG)), conditions(), server_versions=VERSIONS, note="plan: 3 of anna.")
    failed = journal.deployment(probe)
    assert failed.notes.startswith("plan: 3 of anna. The server refused a statement")
    resume(probe, conditions(), failed, "outside window: it is urgent.")
    assert journal.deployment(probe).applied_note == "plan: 3 of anna. outside window: it is urgent."
    assert rollback(probe, failed, conditions(window=lambda _now: False)).status == "paused"
    back = journal.deployment(probe)
    assert (back.taken_back_at, back.last_reason) == (None, "The maintenance window has closed.")
    began = instant_text(back.back_began_at)
    assert back.notes == f"{back.applied_note} Rollback begun {began}. The maintenance window has closed."


def test_a_database_without_a_journal_has_no_deployments(probe: Database) -> None:
    assert journal.deployments(probe) == ()
    with pytest.raises(RolloutError, match="Nothing was ever applied"):
        journal.deployment(probe)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ms5ops.event",
        "UPDATE ms5ops.event SET message = 'nothing happened'",
        "TRUNCATE ms5ops.event",
        "DELETE FROM ms5ops.operation",
        "DELETE FROM ms5ops.deployment",
        "DELETE FROM ms5ops.piece",
        "DELETE FROM ms5ops.lease",
        "TRUNCATE ms5ops.deployment CASCADE",
    ],
)
def test_nothing_of_it_is_deleted(probe: Database, statement: str) -> None:
    apply(probe, Plan((index("idx_a", "ts"),)), conditions(), server_versions=VERSIONS)
    with pytest.raises(ServerError, match="the journal keeps what happened"):
        probe.execute(statement)


def test_a_newer_journal_is_refused(probe: Database) -> None:
    apply(probe, Plan((index("idx_a", "ts"),)), conditions(), server_versions=VERSIONS)
    probe.execute("INSERT INTO ms5ops.schema_version (version, tool_version) VALUES (99, '9.9')")
    with pytest.raises(RolloutError, match="version 99"):
        apply(probe, WHOLE, conditions(), server_versions=VERSIONS)


def test_two_at_once_one_is_refused_with_the_name_of_the_other(probe: Database) -> None:
    refused: list[str] = []

    def second(progress: Progress) -> None:
        if progress.key == "02.enable" and progress.fraction == 0.0:
            with pytest.raises(LeaseTaken) as error:
                apply(probe, WHOLE, conditions(), server_versions=VERSIONS)
            refused.append(str(error.value))

    first = conditions(who=Who("alice", "host-a", 4711), report=second, limits=replace(QUICK, stale_after_s=60))
    assert apply(probe, WHOLE, first, server_versions=VERSIONS).status == "done"
    assert len(refused) == 1
    assert "alice on host-a (process 4711) is changing this database since" in refused[0]
    assert len(journal.deployments(probe)) == 1


def test_a_stale_holder_is_taken_over_and_fenced_off(probe: Database) -> None:
    """The first one sleeps through its lease; the second completes the work; the first then changes nothing more."""
    slept = threading.Event()

    def sleepy(progress: Progress) -> None:
        if progress.key == "02.policy" and progress.fraction == 0.0:
            slept.set()
            time.sleep(QUICK.stale_after_s * 3)

    lost: list[BaseException] = []

    def first() -> None:
        try:
            apply(probe, WHOLE, conditions(report=sleepy), server_versions=VERSIONS)
        except LeaseLost as error:
            lost.append(error)

    thread = threading.Thread(target=first)
    thread.start()
    slept.wait(20)
    time.sleep(0.1)
    outcome = when_stale(lambda: resume(probe, conditions(who=Who("bob", "host-b", 2)), journal.deployment(probe)))
    thread.join(20)
    assert outcome.status == "done"
    assert len(lost) == 1
    events = journal.events(probe, outcome.deployment)
    assert any("Took over from tester" in one.message for one in events)
    after = [one.actor for one in events[[one.actor for one in events].index("bob") :]]
    assert set(after) == {"bob"}


def test_a_dead_holder_is_named_with_when_it_can_be_taken_over(probe: Database, dies) -> None:  # type: ignore[no-untyped-def]
    dies(apply_and_die, probe.target, WHOLE, 60, True)
    patient = conditions(limits=replace(QUICK, stale_after_s=60))
    with pytest.raises(LeaseTaken, match="if it is dead, it can be taken over in"):
        resume(probe, patient, journal.deployment(probe))
    assert lease.holder(probe) is not None
    assert when_stale(lambda: resume(probe, conditions(), journal.deployment(probe))).status == "done"
    assert lease.holder(probe) is None
