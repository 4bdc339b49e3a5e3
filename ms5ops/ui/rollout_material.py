"""What the rollout page works with: the plan of now, the plan that was kept, the run at work, and who looks."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import streamlit as st

from ms5ops.access.roles import LEAST, Action, Actor, may
from ms5ops.control import plans, policy_sets, progress, runs
from ms5ops.control.plans import KeptPlan, KeptTrial
from ms5ops.control.policy_sets import Chosen
from ms5ops.control.runs import Order, Run
from ms5ops.control.service import Service, changes
from ms5ops.environments import Connected
from ms5ops.errors import Ms5opsError, RolloutError
from ms5ops.policy.document import PolicySet
from ms5ops.rollout import fit, journal
from ms5ops.rollout.check import Check
from ms5ops.rollout.journal import Deployment
from ms5ops.rollout.operation import Operation
from ms5ops.rollout.plan import Plan, make_plan
from ms5ops.rollout.precheck import prechecks
from ms5ops.rollout.records import State
from ms5ops.ui import identity
from ms5ops.ui.messages import ICONS, plain, show_failure
from ms5ops.ui.readings import Readings

STATE_TTL_S = 30
_NEWS = "rollout_news"


@dataclass(frozen=True)
class Material:
    """One environment's rollout as it is now.

    ``plan`` is what the page shows: ``kept`` where one was chosen, else the plan from the state of now. ``changed``
    says in words what differs since the kept one was made. ``deployments`` newest first; ``run`` is at work.
    """

    service: Service
    page: Readings
    actor: Actor | None
    chosen: Chosen
    phases: tuple[int, ...]
    state: State
    plan: Plan
    policy: PolicySet
    kept: KeptPlan | None
    every_kept: tuple[KeptPlan, ...]
    changed: tuple[str, ...]
    trial: KeptTrial | None
    deployments: tuple[Deployment, ...]
    run: Run | None

    @property
    def connected(self) -> Connected:
        """The reading connection."""
        return self.page.connected

    @property
    def environment(self) -> str:
        """The environment's name."""
        return self.page.connected.name

    @property
    def now(self) -> datetime:
        """The instant by the console's clock."""
        return self.service.now()

    @property
    def applied(self) -> Deployment | None:
        """The deployment that the kept plan became; without one, the last of all."""
        if self.kept is not None:
            same = [one for one in self.deployments if one.plan_hash == self.kept.plan_hash]
            return same[0] if same else None
        return self.deployments[0] if self.deployments else None

    @property
    def misfit(self) -> RolloutError | None:
        """Why there is nothing to plan, where the database has none of the policy set's tables."""
        if self.kept is not None:
            return None
        tables = self.page.overview.tables.found(())
        return fit.misfit(self.policy, self.state, tables, self.connected.schema)

    @property
    def open_deployment(self) -> Deployment | None:
        """A deployment that was begun and is neither done, taken back nor given up."""
        last = self.deployments[0] if self.deployments else None
        return last if last and last.is_open else None


def standing(one: Deployment) -> str:
    """How an open deployment stands, in a sentence without its end: ``Deployment 3 failed with 4 of 9 operations
    done``, ``The rollback of deployment 3 is paused``."""
    how = "failed" if one.status == "failed" else f"is {one.status}"
    if one.direction == "rollback":
        return f"The rollback of {one.name} {how}"
    return f"{one.name.capitalize()} {how} with {one.done} of {one.operations} operations done"


def read(page: Readings) -> Material | None:
    """The material of the page's environment; None where it cannot be read, which then stands on the page."""
    try:
        return _read(page)
    except Ms5opsError as error:
        show_failure(error)
        return None


def _read(page: Readings) -> Material:
    service = Service.here()
    environment = page.connected.name
    chosen = in_force(service, environment)
    listed = journal.deployments(page.connected.database)
    version = "".join(f"{one.id}{one.status}{one.direction}" for one in listed[:1])
    every = plans.kept(service.store, environment, 20)
    kept = next((one for one in every if str(one.number) == st.query_params.get("plan")), None)
    phases = tuple(st.session_state.get("phases") or ())
    if kept is None:
        state = _state(_key(page, version), chosen.text, page.connected)
        plan, policy, changed = make_plan(state, chosen.policy, phases or None), chosen.policy, []
    else:
        plan, text = _documents(kept.id, service, kept)
        policy = _policy(text)
        state = _state(_key(page, version), text, page.connected)
        changed = changes(plan, state)
    tried = plans.trials(service.store, kept) if kept else ()
    return Material(
        service=service,
        page=page,
        actor=identity.actor(),
        chosen=chosen,
        phases=phases,
        state=state,
        plan=plan,
        policy=policy,
        kept=kept,
        every_kept=every,
        changed=tuple(changed),
        trial=tried[0] if tried else None,
        deployments=listed,
        run=runs.at_work(service.store, environment),
    )


def state_for(found: Material, text: str) -> State:
    """The state as the policy set of that text looks at it; kept as the page's own is."""
    version = "".join(f"{one.id}{one.status}{one.direction}" for one in found.deployments[:1])
    return _state(_key(found.page, version), text, found.connected)


def in_force(service: Service, environment: str) -> Chosen:
    """The policy set in force; its text is read once per version."""
    number = policy_sets.in_force_number(service.store, environment)
    found = _chosen(environment, number, service.store.file)
    return found if found.number == number else policy_sets.in_force(service.store, environment)


def show_plan(number: int | None) -> None:
    """Show that kept plan from the next run of the script on; None: the plan of now."""
    if number is None:
        st.query_params.pop("plan", None)
    else:
        st.query_params["plan"] = str(number)


def attempt(work: Callable[[], str | None]) -> bool:
    """Do what a button asks for. Its refusal or failure stands on the page; a text it gives is told on the next run."""
    try:
        news = work()
    except Ms5opsError as error:
        show_failure(error)
        return False
    if news:
        st.session_state[_NEWS] = news
    return True


def start(found: Material, order: Order, typed: str | None = None) -> None:
    """Start a run, or join the one that is at work, and show it."""

    def begin() -> str | None:
        run, is_new = found.service.start(identity.actor(touch=True), order, typed=typed)
        st.query_params["run"] = run.id
        if is_new:
            return None
        if run.order.kind != order.kind:
            return f"Yours was not started: a run of {run.actor} is at work ({run.order.kind}), which is this."
        return f"{run.actor} had started that already; this is it."

    if attempt(begin):
        st.rerun()


def news() -> None:
    """What the last action has to tell."""
    text = st.session_state.pop(_NEWS, None)
    if text:
        st.success(plain(text), icon=ICONS["ok"])


def why_not(actor: Actor | None, action: Action) -> str | None:
    """Why a button is off for whoever looks, None where it is not."""
    if may(actor, action):
        return None
    doing = {"dry run": "try and keep plans", "edit policies": "change the policy set", "benchmark": "run benchmarks"}
    wanted = doing.get(action, action)
    if actor is None:
        return f"To {wanted}, sign in as {LEAST[action]}."
    return f"To {wanted} takes the role {LEAST[action]}; {actor.name} is {actor.role}."


def explain_off(actor: Actor | None, action: Action) -> bool:
    """One sentence where the actor may not do it; whether they may not."""
    reason = why_not(actor, action)
    if reason:
        st.caption(f":material/lock: {plain(reason)}")
    return reason is not None


def measure_checks(found: Material) -> tuple[Check, ...]:
    """The checks before a deployment, for the plan that is shown."""
    keys = tuple(one.key for one in found.plan.operations)
    return _prechecks(_key(found.page, found.plan.state_hash), keys, found.connected, found.policy, found.plan)


def known(found: Connected, deployment: UUID) -> dict[str, Operation]:
    """The operations of a deployment, kept."""
    return _known(str(deployment), found)


def forget() -> None:
    """Read the database afresh on the next run of the script."""
    _state.clear()
    _prechecks.clear()


def _key(page: Readings, version: str) -> str:
    target = page.connected.database.target
    return f"{page.connected.name} {target.address} {page.connected.schema} {page.source} {version}"


@st.cache_resource(ttl=STATE_TTL_S, max_entries=16, show_spinner="Comparing the database with the policy set")
def _state(key: str, text: str, _connected: Connected) -> State:
    return Service.here().state(_connected, _policy(text))


@st.cache_resource(ttl=3600, max_entries=16, show_spinner=False)
def _policy(text: str) -> PolicySet:
    return policy_sets.parse(text)


@st.cache_resource(ttl=3600, max_entries=16, show_spinner=False)
def _chosen(environment: str, number: int, _file: object) -> Chosen:
    return policy_sets.in_force(Service.here().store, environment)


@st.cache_resource(ttl=3600, max_entries=16, show_spinner=False)
def _documents(identity_: str, _service: Service, _kept: KeptPlan) -> tuple[Plan, str]:
    return plans.documents(_service.store, _kept)


@st.cache_resource(ttl=60, max_entries=8, show_spinner="Checking what must hold before a deployment")
def _prechecks(
    key: str, keys: tuple[str, ...], _connected: Connected, _policy: PolicySet, _plan: Plan
) -> tuple[Check, ...]:
    return prechecks(_connected, _policy, _plan.operations)


@st.cache_resource(ttl=3600, max_entries=16, show_spinner=False)
def _known(deployment: str, _connected: Connected) -> dict[str, Operation]:
    return progress.known_operations(_connected.database, UUID(deployment))
