"""Approvals: by somebody else, for exactly this, for a time; and the gate that a change has to pass.

What is approved is named by a hash: of the plan for a plan, of the way back for a rollback. What another database
state, or another choice, would change has another hash, so an approval cannot be carried over.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from ms5ops.access import accounts
from ms5ops.access.roles import Actor, may
from ms5ops.control.store import Row, Store, checked_comment, written
from ms5ops.errors import NotAllowed
from ms5ops.rollout.way import Way
from ms5ops.units import duration_text, instant_text

Fact = Literal["met", "waived", "not met"]


@dataclass(frozen=True)
class Approval:
    """One approval, standing or not. ``subject``: what it names ("plan <id>"); ``hash``: of exactly what.

    It is good for one beginning: ``taken_for`` which one, by its name (``ms5ops.rollout.beginnings``), ``used_at`` when
    that had come to pass. ``is_theirs``: its approver may still approve.
    """

    id: int
    subject: str
    hash: str
    approver: str
    provider: str
    comment: str
    approved_at: datetime
    expires_at: datetime
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    taken_for: str | None = None
    used_at: datetime | None = None
    is_theirs: bool = True


@dataclass(frozen=True)
class Asked:
    """What somebody wants to do and has to be approved: a name for people, subject, hash, and who wants it.

    ``provider`` is that of the author; empty where it is not known yet who will be one.
    """

    name: str
    subject: str
    hash: str
    author: str
    provider: str = ""


@dataclass(frozen=True)
class Gate:
    """One condition of a change: ``text`` says how it stands, ``next_step`` what opens it."""

    name: Literal["role", "fresh", "window", "approval", "free"]
    title: str
    fact: Fact
    text: str
    next_step: str = ""


def approve(
    store: Store, asked: Asked, approver: Actor, *, comment: str, now: datetime, valid_for: timedelta
) -> Approval:
    """Keep an approval; NotAllowed where it is the author's own, ControlError where the comment is too long."""
    refuse_author(asked, approver)
    comment = checked_comment(comment)
    store.change(
        "add_approval",
        subject=asked.subject, hash=asked.hash, approver=approver.name, provider=approver.provider,
        comment=comment, approved_at=written(now), expires_at=written(now + valid_for),
    )  # fmt: skip
    return approvals(store, asked.subject)[0]


def refuse_author(asked: Asked, approver: Actor) -> None:
    """NotAllowed for the author, however signed in: a change is looked at by two people."""
    if same_person(approver.name, approver.provider, asked.author, asked.provider):
        raise NotAllowed(
            f"{approver.name} asks for {asked.name}, and cannot approve it.", "Ask another operator to look at it."
        )


def same_person(name: str, provider: str, other: str, other_provider: str) -> bool:
    """Whether two signed in may be one: the same name in any case of letters, or, signed in by different ways, the
    same name before the @, as ``anna`` of the operating system and ``Anna@plant.example`` of an identity provider; or
    two names of one person there, who was called otherwise before."""
    one, two = name.casefold(), other.casefold()
    if one == two:
        return True
    if provider == other_provider == accounts.OIDC:
        return accounts.same_subject(name, other)
    return provider != other_provider and one.partition("@")[0] == two.partition("@")[0]


def approvals(store: Store, subject: str) -> tuple[Approval, ...]:
    """All approvals of a subject, newest first."""
    return tuple(_approval(row) for row in store.rows("approvals", subject=subject))


def withdraw(store: Store, subject: str, *, by: str, now: datetime) -> int:
    """No approval of the subject stands any more; how many did."""
    return len(store.change("withdraw_approvals", subject=subject, withdrawn_at=written(now), withdrawn_by=by))


def take(
    store: Store, asked: Asked, beginning: str, *, unbegun: Collection[str], protected: bool, now: datetime
) -> None:
    """Take the approvals that stand for one beginning, by its name; NotAllowed where none stands any more.

    Else a plan that was applied and taken back could be applied again, and one whose approval was withdrawn while its
    backup was made would still be. ``unbegun``: beginnings that approvals were taken for, and that never will come.
    """
    with store.changing() as change:
        found = [_approval(row) for row in change("approvals", subject=asked.subject)]
        gate = approval_gate(asked, found, unbegun=unbegun, protected=protected, now=now)
        if gate.fact == "not met":
            raise NotAllowed(f"{gate.title}: {gate.text}.", gate.next_step)
        for one in found:
            if one.withdrawn_at is None and not _is_gone(one, unbegun):
                change("take_approval", id=one.id, taken_for=beginning)


def use(store: Store, beginning: str, *, now: datetime) -> None:
    """What approvals were taken for has begun: they are used for good, whatever becomes of the journal."""
    store.change("use_approvals", taken_for=beginning, used_at=written(now))


def approval_gate(
    asked: Asked, found: Sequence[Approval], *, protected: bool, now: datetime, unbegun: Collection[str] = ()
) -> Gate:
    """Whether somebody else has approved exactly this, and still does; ``unbegun`` as of ``take``."""
    title = "Approved by somebody else"
    if not protected:
        return Gate("approval", title, "met", "not needed: the environment is not protected")
    reasons = [_why_not(asked, one, now, unbegun) for one in found]
    for one, reason in zip(found, reasons, strict=True):
        if reason is None:
            left = duration_text((one.expires_at - now).total_seconds())
            return Gate("approval", title, "met", f"by {one.approver}, for another {left}")
    latest = next((reason for reason in reasons if reason), "nobody has approved it yet")
    return Gate(
        "approval",
        title,
        "not met",
        latest,
        f"Ask another operator{f' than {asked.author}' if asked.author else ''} to approve {asked.name}.",
    )


def window_gate(*, is_open: bool, window: str, reason: str | None) -> Gate:
    """Whether the maintenance window is open, or a reason to work outside it was given."""
    title = "Maintenance window"
    if is_open:
        return Gate("window", title, "met", "always open" if window == "always" else f"open ({window})")
    if reason and reason.strip():
        return Gate("window", title, "waived", f"closed ({window}); reason given: {reason.strip()}")
    return Gate("window", title, "not met", f"closed ({window})", "Wait for it, or give a reason, which is recorded.")


def fresh_gate(changed: Sequence[str]) -> Gate:
    """Whether the database is as it was when the plan was made; ``changed`` says in words what is not."""
    title = "Database unchanged since the plan"
    if not changed:
        return Gate("fresh", title, "met", "as it was when the plan was made")
    return Gate("fresh", title, "not met", f"changed since: {'; '.join(changed)}", "Make the plan again.")


def way_hash(way: Way) -> str:
    """SHA-256 (64 hex digits) of what a rollback takes back, keeps, loses, and finds changed."""
    values: dict[str, Any] = {
        "deployment": str(way.deployment.id),
        "undone": [row.operation.key for row in way.undone],
        "kept": [row.operation.key for row in way.kept],
        "losses": list(way.losses),
        "changed": list(way.changed),
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _why_not(asked: Asked, one: Approval, now: datetime, unbegun: Collection[str]) -> str | None:
    """Why an approval does not count, None where it does."""
    against = (
        (one.withdrawn_at is not None, f"the approval of {one.approver} was withdrawn by {one.withdrawn_by}"),
        (one.used_at is not None, f"the approval of {one.approver} was used at {instant_text(one.used_at)}"),
        (_is_gone(one, unbegun), f"the approval of {one.approver} was taken for a run that has begun, or may have"),
        (not one.is_theirs, f"{one.approver}, who approved it, may no longer approve anything"),
        (one.hash != asked.hash, f"{one.approver} approved something else: it has changed since"),
        (
            same_person(one.approver, one.provider, asked.author, asked.provider),
            f"{one.approver} cannot approve what they ask for themselves",
        ),
        (now >= one.expires_at, f"the approval of {one.approver} expired at {instant_text(one.expires_at)}"),
    )
    return next((why for holds, why in against if holds), None)


def _is_gone(one: Approval, unbegun: Collection[str]) -> bool:
    """Whether it was used, or taken for something that is not known never to have begun."""
    return one.used_at is not None or one.taken_for not in (None, *unbegun)


def _approval(row: Row) -> Approval:
    instants = {
        name: None if row[name] is None else datetime.fromisoformat(row[name])
        for name in ("approved_at", "expires_at", "withdrawn_at", "used_at")
    }
    return Approval(**{**row, **instants}, is_theirs=_may_still(row["approver"], row["provider"]))


def _may_still(approver: str, provider: str) -> bool:
    """Whether the approver's account is in use and has the role; whoever has none approved as a user of the host."""
    account = accounts.find(approver, provider)
    if account is None:
        return True
    if account.is_disabled or account.role is None:
        return False
    return may(Actor(approver, account.role, provider), "approve")
