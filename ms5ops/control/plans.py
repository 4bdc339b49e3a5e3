"""Plans that were kept: exactly what was shown, tried, approved and will be applied, with the policy set behind it."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from ms5ops.access.roles import Actor
from ms5ops.control.store import ControlError, Row, Store, checked_comment, read, written
from ms5ops.rollout import journal
from ms5ops.rollout.dry_run import DryRun
from ms5ops.rollout.plan import Plan


@dataclass(frozen=True)
class KeptPlan:
    """A kept plan without its operations. ``policy_version`` None: from a file; 0: the set that comes with ms5ops."""

    id: str
    number: int
    environment: str
    author: str
    provider: str
    comment: str
    created_at: datetime
    policy_version: int | None
    plan_hash: str
    state_hash: str
    operations: int

    @property
    def name(self) -> str:
        """How people call it: ``plan 7``."""
        return f"plan {self.number}"

    @property
    def subject(self) -> str:
        """What an approval of it names."""
        return f"plan {self.id}"


@dataclass(frozen=True)
class Tried:
    """One operation in a dry run: "works", "fails" or "not tried", and why."""

    key: str
    title: str
    result: str
    reason: str
    seconds: float


@dataclass(frozen=True)
class KeptTrial:
    """A dry run of a kept plan. ``locked_seconds``: how long its locks were held at most."""

    tried_by: str
    tried_at: datetime
    locked_seconds: float
    results: tuple[Tried, ...]

    @property
    def failed(self) -> tuple[Tried, ...]:
        """The operations that failed."""
        return tuple(one for one in self.results if one.result == "fails")


def keep(
    store: Store, plan: Plan, *, environment: str, author: Actor, comment: str, policy_text: str,
    policy_version: int | None, now: datetime,
) -> KeptPlan:  # fmt: skip
    """Keep a plan as it is; ControlError where it is empty or its comment too long."""
    if plan.is_empty:
        raise ControlError("There is nothing to do, so there is no plan to keep.", "Change the policy set first.")
    comment = checked_comment(comment)
    document = plan.to_json()
    identity = str(uuid4())
    store.change(
        "add_plan",
        id=identity, environment=environment, author=author.name, provider=author.provider, comment=comment,
        created_at=written(now), policy_version=policy_version, policy_text=policy_text,
        plan_hash=journal.plan_hash(document), state_hash=plan.state_hash, operations=len(plan.operations),
        document=json.dumps(document),
    )  # fmt: skip
    return named(store, identity)


def kept(store: Store, environment: str | None = None, most: int = 50) -> tuple[KeptPlan, ...]:
    """Kept plans, newest first."""
    return tuple(_kept(row) for row in store.rows("plans", environment=environment, most=most))


def named(store: Store, wanted: str) -> KeptPlan:
    """The plan of that number, id or beginning of an id; ControlError where there is none, or more than one."""
    found = store.rows("plan_named", wanted=wanted.strip())
    if len(found) != 1:
        raise ControlError(
            f"{'No' if not found else 'More than one'} plan is called {wanted[:60]!r}.",
            "python -m ms5ops plans lists them.",
        )
    return _kept(found[0])


def of(store: Store, wanted: str | None, environment: str) -> KeptPlan:
    """As ``named``, for work on that environment; ControlError for another one's plan.

    Two environments may be alike in name of the database and in state, and yet only one was looked at.
    """
    found = named(store, wanted or "")
    if found.environment != environment:
        raise ControlError(
            f"{found.name.capitalize()} is for {found.environment}, and not for {environment}.",
            f"Make a plan for {environment}.",
        )
    return found


def documents(store: Store, plan: KeptPlan) -> tuple[Plan, str]:
    """The plan itself and the text of its policy set; ControlError where it is no longer what was kept."""
    row = store.rows("plan_documents", id=plan.id)[0]
    values = json.loads(row["document"])
    if journal.plan_hash(values) != plan.plan_hash:
        raise ControlError(f"{plan.name.capitalize()} is not what was kept: its text was changed.", "Plan anew.")
    return Plan.from_json(values), str(row["policy_text"])


def keep_trial(store: Store, plan: KeptPlan, trial: DryRun, *, by: str, now: datetime) -> None:
    """Keep what came of a dry run with its plan."""
    results: list[dict[str, Any]] = [
        {
            "key": one.operation.key, "title": one.operation.title, "result": one.result, "reason": one.reason,
            "seconds": round(one.seconds, 4),
        }
        for one in trial.trials
    ]  # fmt: skip
    store.change(
        "add_trial",
        plan=plan.id, tried_by=by, tried_at=written(now), locked_seconds=trial.locked_seconds,
        results=json.dumps(results),
    )  # fmt: skip


def trials(store: Store, plan: KeptPlan) -> tuple[KeptTrial, ...]:
    """The dry runs of a plan, newest first."""
    return tuple(
        KeptTrial(
            tried_by=row["tried_by"],
            tried_at=datetime.fromisoformat(row["tried_at"]),
            locked_seconds=row["locked_seconds"],
            results=tuple(Tried(**one) for one in json.loads(row["results"])),
        )
        for row in store.rows("trials", plan=plan.id)
    )


def _kept(row: Row) -> KeptPlan:
    return KeptPlan(**{**row, "created_at": read(row["created_at"])})
