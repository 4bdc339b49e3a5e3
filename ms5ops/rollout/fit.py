"""Whether a policy set is about the database at all: without one of its tables there is nothing to plan or to check."""

from collections.abc import Sequence

from ms5ops.errors import RolloutError
from ms5ops.observe.absence import absence
from ms5ops.observe.overview import Overview, read_all
from ms5ops.observe.server import Server
from ms5ops.observe.tables import Table
from ms5ops.policy.document import PolicySet
from ms5ops.rollout.check import Check
from ms5ops.rollout.postcheck import postchecks
from ms5ops.rollout.records import State


def misfit(policy: PolicySet, state: State, tables: Sequence[Table], schema: str) -> RolloutError | None:
    """Why a plan by that set would be settings, views and jobs for tables that are not there; None where one is.

    ``state`` is the set's schema, ``tables`` what was read beside the set in ``schema``, the environment's.
    """
    names = [one.name for one in policy.active_tables]
    if not names or any(state.table(name).kind != "missing" for name in names):
        return None
    none = absence(tables)
    if none is not None:
        return RolloutError(none.text, none.next_step)
    return RolloutError(
        f"The policy set is for the schema {policy.schema_name}, which has none of its tables; the environment is "
        f"about {schema}.",
        "Set the environment's schema (schema in ms5ops.toml, or DB_SCHEMA), or the policy set's.",
    )


def checks_after(server: Server, policy: PolicySet, overview: Overview | None = None) -> tuple[Check, ...]:
    """The checks after a deployment (``postchecks``); RolloutError where the database has none of the set's tables."""
    overview = overview or read_all(server)
    none = absence(overview.tables.found(()))
    if none is not None:
        raise RolloutError(none.text, none.next_step)
    return postchecks(server, policy, overview=overview)
