"""Phase 4 in the sandbox, planned and applied by what applies it anywhere."""

from collections.abc import Callable

from ms5ops.config import SANDBOX, load_settings
from ms5ops.control import policy_sets
from ms5ops.control.conclusion import conclude
from ms5ops.control.service import Service
from ms5ops.control.site import Site, refuse_blocking
from ms5ops.control.store import control_store
from ms5ops.database import Database
from ms5ops.environments import Connected
from ms5ops.errors import SandboxError
from ms5ops.observe.server import connect_server
from ms5ops.replay import fitted
from ms5ops.replay.kept import ACTOR
from ms5ops.rollout.conditions import Conditions
from ms5ops.rollout.journal import Who
from ms5ops.rollout.kept_tables import drop_kept, kept_tables
from ms5ops.rollout.precheck import prechecks
from ms5ops.rollout.running import Progress, Stop

NOTE = "Replayed: the calendar was simulated, the operations ran and were verified as on any server."


def apply_phase4(connected: Connected, stop: Stop, report: Callable[[Progress], None]) -> None:
    """Plan by the fitted policy set, check, apply, check again, and write the report.

    ``connected`` is of access "write". SandboxError where not everything was applied.
    """
    service = Service(load_settings(), control_store())
    number = fitted.put_in_force(service.store, SANDBOX, by=ACTOR)
    policy_text = policy_sets.text_of(service.store, number)
    policy = policy_sets.parse(policy_text)
    server = connect_server(Database(connected.database.target, "read"), connected.schema, policy)
    site = Site(connected, policy, server, Who.here(ACTOR), stop=stop)
    plan = site.plan(None)
    before = prechecks(connected, site.policy, plan.operations)
    refuse_blocking(before, None)
    outcome = site.apply(plan, site.conditions(report=report), NOTE)
    if outcome.status != "done":
        raise SandboxError(
            f"Phase 4 could not be applied to the sandbox: {outcome.reason or outcome.status}.",
            "Start again: what was replayed until then is thrown away.",
        )
    conclude(service, site, outcome, policy_text=policy_text, before=before)
    server.database.close()


def drop_kept_tables(connected: Connected, stop: Stop) -> None:
    """Drop the plain tables that the conversions have kept, as a DBA does once nobody has missed anything."""
    who = Who.here(ACTOR)
    for kept in kept_tables(connected.database):
        drop_kept(connected.database, kept, Conditions(who, connected.name, embedded=True, stop=stop))
