"""Every role against every protected action, and the gates that even the right role has to pass."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ms5ops.access import accounts, audit
from ms5ops.access.roles import LEAST, ROLES, Action, Actor, Role
from ms5ops.control import approvals, plans, policy_sets, runs, service, site
from ms5ops.control.approvals import Asked
from ms5ops.control.plans import KeptPlan
from ms5ops.control.runs import Order
from ms5ops.control.service import Service
from ms5ops.control.store import ControlError
from ms5ops.database import Database, Target
from ms5ops.errors import Ms5opsError, NotAllowed, RolloutError
from ms5ops.policy.document import DEFAULT_FILE
from ms5ops.sandbox import process
from tests.control.conftest import Clock, service_at, write_plant

LONGER = policy_sets.adjusted(DEFAULT_FILE.read_text(), {("tables", "metric_hist", "drop_after"): "120 days"})
KEPT = KeptPlan("p", 1, "plant", "author", "local", "", None, 0, "1" * 64, "2" * 64, 3)  # type: ignore[arg-type]


class Reached(Ms5opsError):
    """The action was let through."""

    def __init__(self) -> None:
        super().__init__("reached", "")


BACK = Order("rollback", "plant", deployment="d")
WAY_BACK = Asked("it", "rollback d", "3", "")
ACTIONS: dict[str, tuple[Action, Callable[[Service, Actor | None], Any]]] = {
    "keep a plan": ("dry run", lambda one, who: one.keep_plan(who, "plant")),
    "try": ("dry run", lambda one, who: one.start(who, Order("dry run", "plant", plan="p"))),
    "apply": ("apply", lambda one, who: one.start(who, Order("apply", "plant", plan="p"), typed="plant")),
    "resume": ("apply", lambda one, who: one.start(who, Order("resume", "plant", deployment="d"), typed="plant")),
    "roll back": ("roll back", lambda one, who: one.start(who, BACK, typed="plant")),
    "measure": ("benchmark", lambda one, who: one.start(who, Order("benchmark", "plant"))),
    "pause": ("apply", lambda one, who: one.ask(who, "plant", "d", "pause")),
    "cancel": ("apply", lambda one, who: one.ask(who, "plant", "d", "cancel")),
    "drop a kept table": ("apply", lambda one, who: one.drop_kept(who, "plant", "s.t_before_phase4", typed="plant")),
    "approve": ("approve", lambda one, who: one.approve_plan(who, KEPT)),
    "approve back": ("approve", lambda one, who: one.approve_rollback(who, "plant", WAY_BACK)),
    "withdraw": ("approve", lambda one, who: one.withdraw(who, KEPT)),
    "save a policy": ("edit policies", lambda one, who: one.save_policy(who, "plant", LONGER, "why", 0)),
    "choose a policy": ("edit policies", lambda one, who: one.choose_policy(who, "plant", 0)),
}  # fmt: skip


@pytest.fixture
def plant(home: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A protected environment that nothing answers at; whatever is let through is Reached."""
    from pydantic import SecretStr

    write_plant(home, Target("127.0.0.1", 1, "none", "none", SecretStr("none")))

    def reached(*_arguments: Any, **_more: Any) -> Any:
        raise Reached

    for module, name in (
        (service, "connect"), (service, "open_site"), (site, "connect"), (runs, "start"), (policy_sets, "save"),
        (policy_sets, "choose"), (approvals, "approve"), (approvals, "withdraw"), (plans, "named"),
        (plans, "documents"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, reached)
    return service_at(home)


@pytest.mark.parametrize("name", ACTIONS)
def test_every_role_against_every_action(plant: Service, people: dict[str, Actor], name: str) -> None:
    action, work = ACTIONS[name]
    for role in ROLES:
        allowed = ROLES.index(role) >= ROLES.index(LEAST[action])
        with pytest.raises(Reached if allowed else NotAllowed):
            work(plant, people[role])
        refused = audit.entries(limit=1)[0] if not allowed else None
        assert refused is None or (refused.actor, refused.action, refused.outcome) == (role, action, "refused")
    with pytest.raises(NotAllowed, match="Nobody is signed in"):
        work(plant, None)
    for forged in (Actor("nobody", "admin"), Actor("operator", "admin", "oidc"), Actor("root", "admin", "made up")):
        with pytest.raises(NotAllowed):
            work(plant, forged)


@pytest.mark.parametrize("name", ["apply", "approve", "pause", "save a policy"])
def test_the_role_of_this_moment_counts_not_that_of_the_page(
    plant: Service, people: dict[str, Actor], name: str
) -> None:
    _, work = ACTIONS[name]
    who: Actor = people["second"]
    with pytest.raises(Reached):
        work(plant, who)
    lower: Role = "viewer"
    accounts.set_role("second", lower)
    with pytest.raises(NotAllowed):
        work(plant, who)  # who still says operator, as an open page would
    accounts.set_role("second", "operator")
    accounts.set_disabled("second", True)
    with pytest.raises(NotAllowed):
        work(plant, who)


def test_a_change_wants_the_environments_name(plant: Service, people: dict[str, Actor]) -> None:
    for typed in (None, "", "Plant", "plant2", "<script>alert(1)</script>" * 1000):
        with pytest.raises(NotAllowed, match="Type its name"):
            plant.start(people["operator"], Order("rollback", "plant", deployment="d"), typed=typed)
    assert len(audit.entries()[0].details["reason"]) < 200


def test_an_unknown_environment_is_refused_before_anything(plant: Service, people: dict[str, Actor]) -> None:
    with pytest.raises(Ms5opsError, match="no environment 'x'"):
        plant.start(people["admin"], Order("apply", "x", plan="p"), typed="x")


# On a real database ----------------------------------------------------------------------------------------------


def plant_at(engine: Path, window: str = "00:00-23:59:59") -> Service:
    write_plant(engine, process.target(engine / "sandbox"), window)
    return service_at(engine)


def test_a_plan_is_for_its_own_environment_even_where_another_is_just_like_it(
    engine: Path, people_at: Callable[[], dict[str, Actor]]
) -> None:
    people, plant = people_at(), plant_at(engine)
    kept = plant.keep_plan(people["author"], "sandbox", phases=(2,))  # the same database by another name
    plant.approve_plan(people["second"], kept)
    for kind in ("apply", "dry run"):
        order = Order(kind, "plant", plan=kept.id)
        with pytest.raises(ControlError, match="Plan 1 is for sandbox, and not for plant"):
            plant.start(people["author"], order, typed="plant")
        run, _ = runs.start(plant.store, order, people["author"])  # past the service: its process asks again
        deadline = time.monotonic() + 60
        while runs.named(plant.store, run.id).is_open:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        last = runs.named(plant.store, run.id)
        assert (last.outcome, "is for sandbox" in (last.message or "")) == ("failed", True)


def test_an_approval_is_somebody_elses_for_this_plan_and_this_state(
    engine: Path, clock: Clock, people_at: Callable[[], dict[str, Actor]]
) -> None:
    people, plant = people_at(), plant_at(engine)
    kept = plant.keep_plan(people["author"], "plant", phases=(2,), comment="<b>'; DROP TABLE kept_plan; --</b> \u202e")
    order = Order("apply", "plant", plan=kept.id)
    with pytest.raises(NotAllowed, match="nobody has approved it yet"):
        plant.start(people["author"], order, typed="plant")
    with pytest.raises(NotAllowed, match="cannot approve it"):
        plant.approve_plan(people["author"], kept)
    plant.approve_plan(people["second"], kept, "looked at it")
    assert [gate.fact for gate in plant.gates(people_connected(plant), plant.asked(kept), None)] == ["met", "met"]

    clock.pass_by(hours=25)
    with pytest.raises(NotAllowed, match="expired"):
        plant.start(people["author"], order, typed="plant")
    plant.approve_plan(people["second"], kept)
    plant.withdraw(people["author"], kept)
    with pytest.raises(NotAllowed, match="withdrawn by author"):
        plant.start(people["author"], order, typed="plant")

    database = Database(process.target(engine / "sandbox"), "write")
    database.execute("COMMENT ON TABLE factory_telemetry.metric_hist IS 'changed'")
    database.close()
    assert len(plant.changes_since(kept)) == 1
    with pytest.raises(RolloutError, match="has changed since plan 1"):
        plant.approve_plan(people["second"], kept)
    with pytest.raises(ControlError, match="has changed since the plan was shown"):
        plant.keep_plan(people["author"], "plant", shown=kept.state_hash)
    refusals = [one for one in audit.entries() if one.outcome == "refused"]
    assert len(refusals) == 4
    assert audit.verify().intact


def test_a_plan_that_was_changed_in_the_store_is_not_used(
    engine: Path, people_at: Callable[[], dict[str, Actor]]
) -> None:
    import sqlite3

    people, plant = people_at(), plant_at(engine)
    kept = plant.keep_plan(people["author"], "plant", phases=(2,))
    with sqlite3.connect(plant.store.file) as connection:
        connection.execute("UPDATE kept_plan SET document = replace(document, '7 days', '8 days')")
    connection.close()
    with pytest.raises(ControlError, match="not what was kept"):
        plans.documents(plant.store, kept)


def test_outside_the_window_a_reason_is_needed_and_kept(
    engine: Path, people_at: Callable[[], dict[str, Actor]]
) -> None:
    people, plant = people_at(), plant_at(engine, "00:00-00:00")
    kept = plant.keep_plan(people["author"], "plant", phases=(2,))
    with pytest.raises(NotAllowed, match="Maintenance window: closed"):
        plant.start(people["dba"], Order("dry run", "plant", plan=kept.id))
    assert plant.gates(people_connected(plant), None, "line stands still")[0].fact == "waived"


def people_connected(plant: Service) -> Any:
    from ms5ops.environments import connect

    return connect(plant.settings, "plant")
