"""One database to be changed: connected as the deploying role, with the policy set, the limits and whoever does it."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from uuid import UUID, uuid4

from ms5ops.config import SANDBOX, Settings
from ms5ops.database import Database
from ms5ops.environments import Connected, connect
from ms5ops.errors import RolloutError
from ms5ops.observe.server import Server, connect_server
from ms5ops.policy.document import PolicySet
from ms5ops.queries import query, version_text
from ms5ops.rollout import backup, disk, executor
from ms5ops.rollout import running as at_work
from ms5ops.rollout.check import Check
from ms5ops.rollout.conditions import Conditions
from ms5ops.rollout.ends import Outcome
from ms5ops.rollout.journal import Who
from ms5ops.rollout.limits import Limits
from ms5ops.rollout.plan import Plan, check_fresh, make_plan
from ms5ops.rollout.precheck import window_of
from ms5ops.rollout.records import State
from ms5ops.rollout.restored import Comparison, comparison
from ms5ops.rollout.state import read_state

BLOCKING = ("connection", "extension", "versions", "privileges", "hypertables")
"""Checks without which nothing can be begun; the others are shown, and people decide."""


@dataclass
class Site:
    """One database to be changed: as the deploying role, and as the reading one (or the same)."""

    connected: Connected
    policy: PolicySet
    server: Server
    who: Who
    limits: Limits = field(default_factory=Limits)
    stop: at_work.Stop = field(default_factory=at_work.Stop)
    witnessed: Callable[[], str] | None = None
    """What the journal shall note when a run begins here, read at that moment."""

    @property
    def write(self) -> Database:
        """The deploying role's connections."""
        return self.connected.database

    @cached_property
    def embedded(self) -> bool:
        """Whether it is the embedded engine, by whatever environment it was reached."""
        if self.connected.name == SANDBOX:
            return True
        found = self.server.database.row(query("rollout", "embedded", self.server.version).sql)
        return bool(found["is_embedded"])

    @property
    def versions(self) -> dict[str, str]:
        """What the server is, for the journal."""
        return {
            "timescaledb": f"{version_text(self.server.version)} ({self.server.edition})",
            "postgresql": ".".join(map(str, self.server.postgres_version)),
        }

    def state(self) -> State:
        """The state now."""
        return read_state(connect_server(self.server.database, self.server.schema, self.policy), self.policy)

    def plan(self, phases: Collection[int] | None) -> Plan:
        """The plan from the state now."""
        return make_plan(self.state(), self.policy, phases or None)  # type: ignore[arg-type]  # the caller checked 1 to 5

    @property
    def compare(self) -> Comparison:
        """What a rollback compares with."""
        return comparison(self.state)

    def conditions(self, outside_window: str | None = None, report: at_work.Report | None = None) -> Conditions:
        """The conditions of a run."""
        return Conditions(
            who=self.who,
            environment=self.connected.name,
            embedded=self.embedded,
            limits=self.limits,
            stop=self.stop,
            report=report or (lambda _progress: None),
            window=None if outside_window else window_of(self.connected),
            free_bytes=lambda: disk.free_bytes(self.connected),
            witnessed=self.witnessed() if self.witnessed else None,
        )

    def apply(
        self,
        plan: Plan,
        conditions: Conditions,
        note: str | None,
        *,
        entering: Callable[[UUID], AbstractContextManager[None]] = lambda _deployment: nullcontext(),
        identity: UUID | None = None,
    ) -> Outcome:
        """Apply a plan, if it still fits the database, as a new deployment with that id (None: a new one).

        ``entering`` is given that id once it is sure and nobody else can change anything; its block enters the
        deployment in the journal, before anything is changed. It may raise. Errors as ``executor.apply``'s.
        """
        identity = identity or uuid4()
        return executor.apply(
            self.write,
            plan,
            conditions,
            server_versions=self.versions,
            before_state=plan.to_json()["state"],
            note=note,
            confirm_fresh=lambda: check_fresh(plan, self.state()),
            entering=lambda: entering(identity),
            identity=identity,
        )

    def back_up(self, refused: str | None, progress: Callable[[int], None] = lambda _size: None) -> str | None:
        """A backup where one is due, as a sentence for the journal; ``progress`` is told the bytes so far."""
        if refused or not self.connected.protected:
            return None
        tables = [self.policy.qualified(one.name) for one in self.policy.active_tables]
        made = backup.make(self.write.target, self.server.postgres_version[0], tables, progress=progress)
        return str(made)

    def close(self) -> None:
        """Close its connections."""
        self.connected.database.close()
        self.server.database.close()


def open_site(settings: Settings, environment: str | None, policy: PolicySet, actor: str | None = None) -> Site:
    """Connect as the deploying role. Only what has checked the actor calls this."""
    connected = connect(settings, environment, purpose="deploy")
    reading = Database(connected.database.target, "read")
    return Site(connected, policy, connect_server(reading, connected.schema, policy), Who.here(actor))


def reasons(**given: str | None) -> str | None:
    """Decisions for the journal: ``no backup: REASON. outside window: REASON.``."""
    lines = [f"{name.replace('_', ' ')}: {reason}." for name, reason in given.items() if reason]
    return " ".join(lines) or None


def refuse_blocking(checks: tuple[Check, ...], outside_window: str | None) -> None:
    """RolloutError where a check failed without which nothing can be begun."""
    for check in checks:
        if check.name in BLOCKING and check.verdict != "passed":
            raise RolloutError(f"{check.title}: {check.found}.", check.advice)
        if check.name == "window" and check.verdict == "failed" and not outside_window:
            raise RolloutError(f"The maintenance window is closed ({check.found}).", check.advice)


def refuse_closed(site: Site, outside_window: str | None) -> None:
    """RolloutError where the maintenance window is closed and no reason to work outside it was given."""
    window = window_of(site.connected)
    if window is not None and not outside_window and not window(site.server.read_at):
        raise RolloutError(
            f"The maintenance window is closed ({site.connected.maintenance_window}).",
            "Wait for it, or give a reason with --outside-window.",
        )
