"""An approval is good for one beginning in the journal: whoever else comes, and wherever a process dies."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from ms5ops.access.roles import Actor
from ms5ops.config import Settings
from ms5ops.control import approvals
from ms5ops.control.approvals import Asked
from ms5ops.control.service import Service
from ms5ops.control.store import Store
from ms5ops.database import Database, Target
from ms5ops.errors import LeaseLost, LeaseTaken, NotAllowed, RolloutError
from ms5ops.rollout import beginnings, executor, journal
from ms5ops.rollout import rollback as undoing
from ms5ops.rollout.ends import Outcome
from tests.rollout.apply.conftest import FORKS
from tests.rollout.apply.handmade import VERSIONS, Plan, conditions, connected_to, index, kill_at_statement, when_stale

pytestmark = pytest.mark.xdist_group("applying")
PLAN = Asked("plan 1", "plan one", "1" * 64, "author")
ACTOR = Actor("author", "operator")
APPLIED = Plan((index("idx_a", "ts"), index("idx_b", "value")))


def service_in(folder: Path) -> Service:
    return Service(
        Settings(environments={}, default="sandbox", default_origin="", origins={}), Store(folder / "c", "control")
    )


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setenv("MS5OPS_STATE", str(tmp_path))
    monkeypatch.setenv("MS5OPS_CONFIG", str(tmp_path / "none.toml"))
    return service_in(tmp_path)


def approve(service: Service, asked: Asked = PLAN) -> None:
    approvals.approve(
        service.store, asked, Actor("second", "operator"), comment="", now=service.now(),
        valid_for=service.approval_time,
    )  # fmt: skip


def apply_approved(database: Database, service: Service, around: Callable[[], None] = lambda: None) -> Outcome:
    """As the command line does it, on a protected environment; ``around`` is called between taking and beginning."""
    identity = uuid4()

    @contextmanager
    def entering() -> Iterator[None]:
        beginning = beginnings.apply_of(database, identity)
        connected = connected_to(database.target, protected=True)
        with service.using_approval(ACTOR, "apply", connected, PLAN, beginning):
            around()
            yield

    return executor.apply(
        database, APPLIED, conditions(), server_versions=VERSIONS, entering=entering, identity=identity
    )


def roll_back_approved(database: Database, service: Service) -> Outcome:
    found = journal.deployment(database)

    def entering(way: undoing.Way) -> AbstractContextManager[None]:
        connected = connected_to(database.target, protected=True)
        beginning = beginnings.next_rollback_of(database, found.id)
        return service.using_approval(ACTOR, "roll back", connected, PLAN, beginning)

    return undoing.rollback(database, found, conditions(), entering=entering)


def standing(database: Database, service: Service) -> str:
    return service.approval_gate(connected_to(database.target, protected=True), PLAN).fact


# Where a process dies ---------------------------------------------------------------------------------------


def kill_here(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(where: str | int) -> None:
    """End this process where it takes an approval, begins, notes its use, or after so many statements of beginning."""
    if where == "take":
        approvals.take = kill_here
    elif where == "use":
        approvals.use = kill_here
    elif isinstance(where, int):
        taking = approvals.take

        def take(*given: Any, **more: Any) -> None:
            taking(*given, **more)
            kill_at_statement(where)

        approvals.take = take


def die_at(work: str, target: Target, folder: str, where: str | int) -> None:
    """In a process of its own: apply, or take back, and die there."""
    os.environ.update(MS5OPS_STATE=folder, MS5OPS_CONFIG=f"{folder}/none.toml")
    kill_at(where)
    todo = {"apply": apply_approved, "rollback": roll_back_approved}[work]
    todo(Database(target, "write"), service_in(Path(folder)))


# Statements after the approval was taken: the fence, the deployment, its first operation ...
@pytest.mark.parametrize("where", ["take", 1, 2, 3])
def test_where_nothing_began_the_approval_stands_again(
    probe: Database, service: Service, dies: Callable[..., None], where: str | int
) -> None:
    approve(service)
    dies(die_at, "apply", probe.target, str(service.store.file.parent), where)
    assert journal.deployments(probe) == ()
    assert standing(probe, service) == "met"
    assert when_stale(lambda: apply_approved(probe, service)).status == "done"
    assert standing(probe, service) == "not met"


@pytest.mark.parametrize("where", ["use", 9])
def test_where_it_had_begun_the_approval_is_used(
    probe: Database, service: Service, dies: Callable[..., None], where: str | int
) -> None:
    approve(service)
    dies(die_at, "apply", probe.target, str(service.store.file.parent), where)
    found = journal.deployment(probe)
    assert (found.is_open, found.done) == (True, 0)
    assert standing(probe, service) == "not met"
    with pytest.raises(RolloutError, match="Go on with it"):
        when_stale(lambda: apply_approved(probe, service))
    service.note_begun(beginnings.apply_of(probe, found.id))
    assert executor.resume(probe, conditions(), found).status == "done"
    assert approvals.approvals(service.store, PLAN.subject)[0].used_at is not None
    undoing.rollback(probe, journal.deployment(probe), conditions())
    with pytest.raises(NotAllowed, match="was used at"):
        apply_approved(probe, service)
    probe.execute("DROP SCHEMA ms5ops CASCADE")  # as where an older copy of the database was put back
    with pytest.raises(NotAllowed, match="was used at"):
        apply_approved(probe, service)


@pytest.mark.parametrize(("where", "began"), [("take", False), (1, False), ("use", True)])
def test_a_way_back_is_approved_for_one_beginning(
    probe: Database, service: Service, dies: Callable[..., None], where: str | int, began: bool
) -> None:
    executor.apply(probe, APPLIED, conditions(), server_versions=VERSIONS)
    approve(service)
    dies(die_at, "rollback", probe.target, str(service.store.file.parent), where)
    assert journal.deployment(probe).direction == ("rollback" if began else "apply")
    assert standing(probe, service) == ("not met" if began else "met")
    if began:
        with pytest.raises(NotAllowed, match="has begun, or may have"):
            when_stale(lambda: roll_back_approved(probe, service))
        approve(service)
    assert when_stale(lambda: roll_back_approved(probe, service)).status == "rolled back"
    assert standing(probe, service) == "not met"


# Who else comes ---------------------------------------------------------------------------------------------


def race(target: Target, folder: str, ended: Any) -> None:
    """In a process of its own: apply until it is done or refused."""
    os.environ.update(MS5OPS_STATE=folder, MS5OPS_CONFIG=f"{folder}/none.toml")
    database, service = Database(target, "write"), service_in(Path(folder))
    try:
        ended.put(when_stale(lambda: apply_approved(database, service)).status)
    except NotAllowed as refusal:
        ended.put(refusal.happened)


def test_of_two_at_once_one_applies(probe: Database, service: Service) -> None:
    approve(service)
    ended = FORKS.Queue()
    both = [FORKS.Process(target=race, args=(probe.target, str(service.store.file.parent), ended)) for _ in range(2)]
    for one in both:
        one.start()
    answers = sorted(ended.get(timeout=60) for _ in both)
    for one in both:
        one.join(60)
    assert answers[1] == "done"
    assert "was used at" in answers[0]
    assert len(journal.deployments(probe)) == 1


def test_one_that_was_thought_dead_does_not_begin_after_another_took_over(probe: Database, service: Service) -> None:
    approve(service)
    other: list[Outcome] = []

    def meanwhile() -> None:
        probe.execute("UPDATE ms5ops.lease SET heartbeat_at = heartbeat_at - interval '1 hour'")
        other.append(apply_approved(Database(probe.target, "write"), service))

    with pytest.raises(LeaseLost):
        apply_approved(probe, service, meanwhile)
    assert [one.status for one in other] == ["done"]
    (found,) = journal.deployments(probe)
    assert found.id == other[0].deployment
    (approval,) = approvals.approvals(service.store, PLAN.subject)
    assert str(found.id) in (approval.taken_for or "")
    assert approval.used_at is not None


def test_what_was_taken_for_another_database_is_not_given_back(probe: Database, service: Service) -> None:
    approve(service)
    elsewhere = beginnings.Beginning("apply", 1, UUID(int=1), "db1:5432/factory_telemetry")
    approvals.take(service.store, PLAN, str(elsewhere), unbegun=(), protected=True, now=service.now())
    assert standing(probe, service) == "not met"
    with pytest.raises(NotAllowed, match="or may have"):
        apply_approved(probe, service)
    assert journal.deployments(probe) == ()


def test_while_one_begins_nobody_else_does(probe: Database, service: Service) -> None:
    approve(service)

    def meanwhile() -> None:
        with pytest.raises(LeaseTaken):
            apply_approved(Database(probe.target, "write"), service)

    assert apply_approved(probe, service, meanwhile).status == "done"
