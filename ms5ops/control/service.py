"""Every protected action, for pages and command line alike: who may is asked again here, and every refusal is recorded.

Nothing here, nor in the processes that it starts, loads the deploy credential before the actor was found to be allowed.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from ms5ops.access import audit
from ms5ops.access.manage import allowed, recorded
from ms5ops.access.roles import Action, Actor
from ms5ops.config import SANDBOX, Settings, load_settings
from ms5ops.control import anchors, approvals, drift, plans, policy_sets, runs
from ms5ops.control.approvals import Asked, Gate
from ms5ops.control.drift import Drift
from ms5ops.control.plans import KeptPlan
from ms5ops.control.runs import ACTIONS, Options, Order, Run
from ms5ops.control.site import Site, open_site
from ms5ops.control.store import ControlError, Store, control_store
from ms5ops.environments import Connected, connect
from ms5ops.errors import ConfigError, NotAllowed, RolloutError
from ms5ops.observe.server import connect_server
from ms5ops.observe.tables import read_tables
from ms5ops.policy.document import PolicySet, default_policy
from ms5ops.rollout import beginnings, executor, journal, lease
from ms5ops.rollout.beginnings import Beginning
from ms5ops.rollout.fit import misfit
from ms5ops.rollout.journal import RequestKind
from ms5ops.rollout.kept_tables import drop_kept, kept_table
from ms5ops.rollout.limits import Limits
from ms5ops.rollout.plan import Plan, make_plan
from ms5ops.rollout.precheck import window_of
from ms5ops.rollout.records import State
from ms5ops.rollout.state import differences, read_state, state_hash
from ms5ops.rollout.way import Way
from ms5ops.sandbox import fill

CHANGES_NAMED = 3


@dataclass(frozen=True)
class Service:
    """The settings and the records under which actions run."""

    settings: Settings
    store: Store

    @classmethod
    def here(cls) -> "Service":
        """Of this installation, with the settings as they are now."""
        return cls(load_settings(), control_store())

    def now(self) -> datetime:
        """The instant by the store's clock."""
        return self.store.now()

    @cached_property
    def approval_time(self) -> timedelta:
        """How long an approval stands (``[access] approval_hours``)."""
        return timedelta(hours=self.settings.access.approval_hours)

    def allow(self, actor: Actor | None, action: Action, environment: str | None) -> Actor:
        """The actor with the role of now; NotAllowed, recorded, where that may not do it."""
        return allowed(actor, action, self.settings.chosen(environment))

    def is_changing(self, connected: Connected) -> bool:
        """Whether a database is being changed now: by a run of this console, or by a command line anywhere."""
        return drift.being_changed(self.store, connected.name) or lease.is_held(connected.database, Limits())

    def drift(self, connected: Connected, source: str) -> Drift | None:
        """The drift of a database; None where nothing was verified there, and while it is being changed."""
        found = drift.read_drift(self.store, source, lambda policy: self.state(connected, policy))
        if found and found.differences and self.is_changing(connected):
            return None
        return found

    # Planning -----------------------------------------------------------------------------------------------

    def state(self, connected: Connected, policy: PolicySet) -> State:
        """The state of a database now, as the reading role sees it."""
        return read_state(connect_server(connected.database, connected.schema, policy), policy, connected.deploy_role)

    def keep_plan(
        self,
        actor: Actor | None,
        environment: str | None,
        *,
        phases: Collection[int] = (),
        comment: str = "",
        policy_text: str | None = None,
        shown: str | None = None,
    ) -> KeptPlan:
        """Plan anew and keep that, so that it can be tried, approved and applied exactly so.

        ``policy_text`` None: the set in force. ``shown`` is the state hash of the plan that somebody looked at:
        ControlError where the database has changed since, RolloutError where it has none of the set's tables.
        """
        author = self.allow(actor, "dry run", environment)
        connected = connect(self.settings, environment)
        chosen = policy_sets.in_force(self.store, connected.name)
        text = chosen.text if policy_text is None else policy_text
        policy = policy_sets.parse(text)
        try:
            server = connect_server(connected.database, connected.schema, policy)
            state = read_state(server, policy, connected.deploy_role)
            unfit = misfit(policy, state, read_tables(server, None), connected.schema)
            if unfit is not None:
                raise unfit
            plan = make_plan(state, policy, phases or None)  # type: ignore[arg-type]  # 1 to 5
        finally:
            connected.database.close()
        if shown is not None and shown != plan.state_hash:
            raise ControlError("The database has changed since the plan was shown.", "Look at the new plan first.")
        with recorded(author, "dry run", connected.name, {"what": "keep a plan", "comment": comment}):
            return plans.keep(
                self.store, plan, environment=connected.name, author=author, comment=comment, policy_text=text,
                policy_version=chosen.number if policy_text is None else None, now=self.now(),
            )  # fmt: skip

    # Approving ----------------------------------------------------------------------------------------------

    def approve_plan(self, actor: Actor | None, kept: KeptPlan, comment: str = "") -> None:
        """Approve exactly that plan; NotAllowed for its author, RolloutError where it no longer fits the database."""
        approver = self.allow(actor, "approve", kept.environment)
        self._refuse_author(self.asked(kept), approver, kept.environment)
        changed = self.changes_since(kept)
        if changed:
            raise RolloutError(
                f"The database has changed since {kept.name} was made: {'; '.join(changed)}.", "Plan anew."
            )
        self._approve(self.asked(kept), approver, kept.environment, comment)

    def approve_rollback(self, actor: Actor | None, environment: str, asked: Asked, comment: str = "") -> None:
        """Approve exactly that way back, for whoever asks for it."""
        approver = self.allow(actor, "approve", environment)
        self._approve(asked, approver, environment, comment)

    def withdraw(self, actor: Actor | None, kept: KeptPlan) -> int:
        """No approval of that plan stands any more; how many did. Its author may, and whoever may approve."""
        action: Action = (
            "dry run"
            if actor is not None and (actor.name, actor.provider) == (kept.author, kept.provider)
            else "approve"
        )
        who = self.allow(actor, action, kept.environment)
        with recorded(who, action, kept.environment, {"what": f"withdraw the approvals of {kept.name}"}):
            return approvals.withdraw(self.store, kept.subject, by=who.name, now=self.now())

    def asked(self, kept: KeptPlan) -> Asked:
        """What an approval of a plan is for."""
        return Asked(kept.name, kept.subject, kept.plan_hash, kept.author, kept.provider)

    def asked_back(self, way: Way, actor: Actor | None = None) -> Asked:
        """What an approval of a rollback is for: exactly that way; ``actor``: who wants to start it (None: anybody)."""
        name = f"the rollback of {way.deployment.name}"
        subject = f"rollback {way.deployment.id}"
        who = (actor.name, actor.provider) if actor else ("", "")
        return Asked(name, subject, approvals.way_hash(way), *who)

    def changes_since(self, kept: KeptPlan) -> list[str]:
        """What differs between the database as read now and the state that a plan was made from."""
        plan, text = plans.documents(self.store, kept)
        connected = connect(self.settings, kept.environment)
        try:
            return changes(plan, self.state(connected, policy_sets.parse(text)))
        finally:
            connected.database.close()

    # What a change has to pass --------------------------------------------------------------------------------

    def gates(self, connected: Connected, asked: Asked | None, outside_window: str | None) -> tuple[Gate, ...]:
        """The maintenance window, and the approval of what is asked for (None: needs none, as going on does)."""
        window = window_of(connected)
        found = [
            approvals.window_gate(
                is_open=window is None or window(self.now()),
                window=connected.maintenance_window,
                reason=outside_window,
            )
        ]
        if asked is not None:
            found.append(self.approval_gate(connected, asked))
        return tuple(found)

    def refuse_closed(
        self, actor: Actor, action: Action, connected: Connected, asked: Asked | None, outside_window: str | None
    ) -> None:
        """NotAllowed, recorded, where a gate is closed."""
        for gate in self.gates(connected, asked, outside_window):
            if gate.fact == "not met":
                error = NotAllowed(f"{gate.title}: {gate.text}.", gate.next_step)
                audit.record(actor, action, connected.name, "refused", {"reason": error.happened})
                raise error

    @contextmanager
    def using_approval(
        self, actor: Actor, action: Action, connected: Connected, asked: Asked, beginning: Beginning
    ) -> Iterator[None]:
        """Enter that beginning in the journal within the block: the approval is taken before and used after it.

        For whoever holds the database's lease. NotAllowed, recorded, where none stands any more. Where the block does
        not come to its end, however that is, the journal tells later whether the approval was used, or stands again.
        """
        try:
            approvals.take(
                self.store, asked, str(beginning), unbegun=self._unbegun(connected, asked),
                protected=connected.protected, now=self.now(),
            )  # fmt: skip
        except NotAllowed as error:
            audit.record(actor, action, connected.name, "refused", {"reason": error.happened})
            raise
        yield
        approvals.use(self.store, str(beginning), now=self.now())

    def note_begun(self, beginning: Beginning) -> None:
        """An approval that was taken for a beginning which stands in the journal is used, before anything goes on."""
        approvals.use(self.store, str(beginning), now=self.now())

    def approval_gate(self, connected: Connected, asked: Asked) -> Gate:
        """Whether somebody else has approved exactly this, and that was not used yet by what stands in the journal."""
        standing = approvals.approvals(self.store, asked.subject)
        unbegun = self._unbegun(connected, asked)
        return approvals.approval_gate(asked, standing, unbegun=unbegun, protected=connected.protected, now=self.now())

    def _unbegun(self, connected: Connected, asked: Asked) -> set[str]:
        """For what approvals were taken that never began."""
        taken = {
            one.taken_for for one in approvals.approvals(self.store, asked.subject) if one.taken_for and not one.used_at
        }
        return {text for text in taken if beginnings.never_began(connected.database, text)}

    # Work -----------------------------------------------------------------------------------------------------

    def start(self, actor: Actor | None, order: Order, *, typed: str | None = None) -> tuple[Run, bool]:
        """Start a run in a process of its own; that run, or the one that is at work already, and whether it is new.

        ``typed``: the environment's name, as somebody typed it; asked for by everything that changes the database.
        """
        action = ACTIONS[order.kind]
        who = self.allow(actor, action, order.environment)
        if order.kind in ("apply", "resume", "rollback"):
            _refuse_untyped(who, action, order.environment, typed)
        found = runs.at_work(self.store, order.environment)
        if found is not None:
            return found, False
        if order.kind in ("apply", "resume", "dry run"):
            # The process asks again; here it is only told at once. A rollback's approval is judged by its way back.
            kept = None if order.kind == "resume" else plans.of(self.store, order.plan, order.environment)
            asked = self.asked(kept) if kept and order.kind == "apply" else None
            connected = connect(self.settings, order.environment)
            self.refuse_closed(who, action, connected, asked, order.options.outside_window)
        audit.record(who, action, order.environment, "begun", about(order))
        return runs.start(self.store, order, who)

    def ask(self, actor: Actor | None, environment: str, deployment: str, kind: RequestKind) -> bool:
        """Ask a deployment to pause or to be given up after the present operation.

        True where nobody worked on it, so that it was given up at once.
        """
        who = self.allow(actor, "apply", environment)
        with recorded(who, "apply", environment, {"what": f"ask to {kind}", "deployment": deployment}):
            site = self.site(who, environment)
            try:
                found = journal.deployment(site.write, deployment)
                if kind == "cancel":
                    return executor.give_up(site.write, site.conditions(), found)
                with site.write.session() as session:
                    journal.ask(session, found.id, kind, site.who)
                return False
            finally:
                site.close()

    def drop_kept(
        self,
        actor: Actor | None,
        environment: str,
        wanted: str,
        *,
        typed: str | None,
        outside_window: str | None = None,
    ) -> None:
        """Drop a table that a conversion has kept, by its name as listed: its rows are gone for good.

        ``typed``: the environment's name, as somebody typed it. NotAllowed, recorded, outside the maintenance window
        without a reason; LeaseTaken while a deployment is at work; else as of ``kept_tables``.
        """
        who = self.allow(actor, "apply", environment)
        _refuse_untyped(who, "apply", environment, typed)
        self.refuse_closed(who, "apply", connect(self.settings, environment), None, outside_window)
        details = {"what": f"drop the kept table {wanted}", "outside_window": outside_window}
        with recorded(who, "apply", environment, details):
            site = self.site(who, environment)
            try:
                drop_kept(site.write, kept_table(site.write, wanted), site.conditions())
            finally:
                site.close()

    def site(self, allowed: Actor, environment: str | None, policy: PolicySet | None = None) -> Site:
        """The database as the deploying role; for an actor that ``allow`` returned."""
        found = open_site(self.settings, environment, policy or default_policy(), allowed.name)
        found.witnessed = anchors.text
        return found

    def policy_of(self, environment: str, deployment: str | None = None) -> tuple[PolicySet, str]:
        """The policy set that a deployment was made from where that is known here, else the one in force; its text."""
        for run in runs.latest(self.store, environment, 200) if deployment else ():
            if run.order.plan and deployment in (run.id, run.order.deployment):
                _, text = plans.documents(self.store, plans.named(self.store, run.order.plan))
                return policy_sets.parse(text), text
        chosen = policy_sets.in_force(self.store, environment)
        return chosen.policy, chosen.text

    # Policy sets ----------------------------------------------------------------------------------------------

    def save_policy(self, actor: Actor | None, environment: str | None, text: str, comment: str, based_on: int) -> int:
        """Keep a policy set as the next version; its number. ConfigError where it is none, or lint finds an error."""
        who = self.allow(actor, "edit policies", environment)
        details = {"what": "save a policy set", "based on": based_on, "comment": comment}
        with recorded(who, "edit policies", self.settings.chosen(environment), details):
            return policy_sets.save(
                self.store, text, author=who.name, comment=comment, based_on=based_on, now=self.now()
            )

    def choose_policy(self, actor: Actor | None, environment: str | None, number: int) -> None:
        """Plan an environment by that version from now on (0: the set that comes with ms5ops).

        ConfigError where a version is for another schema than the environment's.
        """
        who = self.allow(actor, "edit policies", environment)
        name = self.settings.chosen(environment)
        schema = fill.SCHEMA if name == SANDBOX else self.settings.environment(name).schema_name
        wanted = policy_sets.parse(policy_sets.text_of(self.store, number)).schema_name
        if number and wanted != schema:
            raise ConfigError(
                f"The policy set is for the schema {wanted}, and the environment {name} is about {schema}.",
                "Set the environment's schema (schema in ms5ops.toml, or DB_SCHEMA), or take another set.",
            )
        with recorded(who, "edit policies", name, {"what": f"plan by version {number}"}):
            policy_sets.choose(self.store, name, number, by=who.name, now=self.now())

    def _approve(self, asked: Asked, approver: Actor, environment: str, comment: str) -> None:
        self._refuse_author(asked, approver, environment)
        with recorded(approver, "approve", environment, {"what": asked.name, "hash": asked.hash, "comment": comment}):
            approvals.approve(
                self.store, asked, approver, comment=comment, now=self.now(), valid_for=self.approval_time
            )

    def _refuse_author(self, asked: Asked, approver: Actor, environment: str) -> None:
        try:
            approvals.refuse_author(asked, approver)
        except NotAllowed as error:
            audit.record(approver, "approve", environment, "refused", {"what": asked.name, "reason": error.happened})
            raise


def changes(plan: Plan, now: State) -> list[str]:
    """What differs between a state and the one that a plan was made from, in words; nothing: the plan still fits."""
    if plan.database != now.database_name:
        return [f"it was made for the database {plan.database}"]
    return [] if state_hash(now) == plan.state_hash else differences(plan.state, now, CHANGES_NAMED)


def _refuse_untyped(who: Actor, action: Action, environment: str, typed: str | None) -> None:
    """NotAllowed, recorded, where the environment's name was not typed."""
    if typed == environment:
        return
    error = NotAllowed(
        f"{(typed or 'nothing')[:60]!r} was typed, and the environment is {environment}.", "Type its name."
    )
    audit.record(who, action, environment, "refused", {"reason": error.happened})
    raise error


def about(order: Order) -> dict[str, Any]:
    """An order for the audit log."""
    options: Mapping[str, Any] = order.options.__dict__
    chosen = {name: value for name, value in options.items() if value != getattr(Options(), name)}
    return {"kind": order.kind, "plan": order.plan, "deployment": order.deployment, **chosen}
