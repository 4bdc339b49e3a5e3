"""Drift: does a database still look as it did when its last deployment, or rollback, had ended and was checked?"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ms5ops.control.policy_sets import parse
from ms5ops.control.runs import at_work
from ms5ops.control.store import Store, written
from ms5ops.policy.document import PolicySet
from ms5ops.rollout.journal import Deployment
from ms5ops.rollout.records import State
from ms5ops.rollout.state import differences, state_from_json, state_hash, state_to_json

MOST = 20


@dataclass(frozen=True)
class Drift:
    """Since when it was compared with what. ``differences`` in words; none: it still is as it was verified."""

    deployment_number: int
    verified_at: datetime
    differences: tuple[str, ...]


def remember(
    store: Store, state: State, deployment: Deployment, *, environment: str, source: str, policy_text: str
) -> None:
    """Keep what a database (``source``: ``environments.source_id``) is now that a deployment has ended."""
    store.change(
        "add_verified",
        environment=environment, source=source, deployment=str(deployment.id), deployment_number=deployment.number,
        verified_at=written(store.now()), state_hash=state_hash(state), policy_text=policy_text,
        state=json.dumps(state_to_json(state)),
    )  # fmt: skip


def verified_number(store: Store, source: str) -> int | None:
    """Which of a database's verified states is the last; None where there is none."""
    row = store.row("verified_number", source=source)
    return None if row is None or row["id"] is None else int(row["id"])


def being_changed(store: Store, environment: str) -> bool:
    """Whether a run changes that environment now, so that differences are no drift."""
    run = at_work(store, environment)
    return run is not None and run.order.kind not in ("dry run", "benchmark")


def read_drift(store: Store, source: str, read: Callable[[PolicySet], State]) -> Drift | None:
    """The drift of a database; None where nothing was verified there from this state folder.

    ``read`` gives the state now, as the policy set of that deployment looks at it.
    """
    row = store.row("verified", source=source)
    if row is None:
        return None
    now = read(parse(row["policy_text"]))
    same = state_hash(now) == row["state_hash"]
    return Drift(
        deployment_number=row["deployment_number"],
        verified_at=datetime.fromisoformat(row["verified_at"]),
        differences=() if same else tuple(differences(state_from_json(json.loads(row["state"])), now, MOST)),
    )
