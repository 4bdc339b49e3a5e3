"""What an admin does with accounts; and the check that stands before every protected action.

``allowed`` reads the actor's role anew, whatever the caller knew, and records each refusal.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ms5ops.access import accounts, audit
from ms5ops.access.accounts import LOCAL, Account
from ms5ops.access.audit import Entry, Head, Verification
from ms5ops.access.roles import Action, Actor, Role, require
from ms5ops.access.store import Store, access_store
from ms5ops.errors import Ms5opsError, NotAllowed

_ACCOUNTS: Action = "manage accounts"


def allowed(actor: Actor | None, action: Action, subject: str, *, store: Store | None = None) -> Actor:
    """The actor with the role of this moment, if they may do it; NotAllowed otherwise, which the audit log records."""
    store = store or access_store()
    fresh = accounts.current(actor.name, actor.provider, store=store) if actor else None
    try:
        return require(_known(actor, fresh), action)
    except NotAllowed as refusal:
        audit.record(fresh or actor, action, subject, "refused", {"reason": refusal.happened}, store=store)
        raise


@contextmanager
def recorded(
    actor: Actor, action: str, subject: str, details: Mapping[str, Any] | None = None, *, store: Store | None = None
) -> Iterator[None]:
    """Record what is done in the block: done, or failed with the reason. Nothing begins that could not be recorded."""
    store = store or access_store()
    audit.ready(store=store)
    try:
        yield
    except Ms5opsError as error:
        audit.record(actor, action, subject, "failed", {**(details or {}), "reason": error.happened}, store=store)
        raise
    audit.record(actor, action, subject, "done", details, store=store)


def add_account(actor: Actor | None, name: str, role: Role, *, store: Store | None = None) -> str:
    """Make a local account; its one-time password, which is shown once and kept nowhere."""
    admin = allowed(actor, _ACCOUNTS, name, store=store)
    with recorded(admin, "add account", name, {"role": role}, store=store):
        return accounts.add(name, role, store=store)


def reset_account(actor: Actor | None, name: str, *, store: Store | None = None) -> str:
    """A new one-time password for a local account, whose sessions end."""
    admin = allowed(actor, _ACCOUNTS, name, store=store)
    with recorded(admin, "reset account", name, store=store):
        return accounts.reset(name, store=store)


def set_role(actor: Actor | None, name: str, role: Role, *, store: Store | None = None) -> None:
    """Another role for a local account, from its next action on."""
    admin = allowed(actor, _ACCOUNTS, name, store=store)
    with recorded(admin, "set role", name, {"role": role}, store=store):
        accounts.set_role(name, role, store=store)


def set_disabled(
    actor: Actor | None, name: str, disabled: bool, provider: str = LOCAL, *, store: Store | None = None
) -> None:
    """Disable an account of any provider, or enable it again."""
    admin = allowed(actor, _ACCOUNTS, name, store=store)
    with recorded(admin, "disable account" if disabled else "enable account", name, store=store):
        accounts.set_disabled(name, disabled, provider, store=store)


def list_accounts(actor: Actor | None, *, store: Store | None = None) -> list[Account]:
    """All accounts."""
    allowed(actor, _ACCOUNTS, "list", store=store)
    return accounts.every(store=store)


def read_audit(actor: Actor | None, *, limit: int | None = None, store: Store | None = None) -> list[Entry]:
    """The audit log, newest entry first."""
    allowed(actor, "read audit", "list", store=store)
    return audit.entries(limit=limit, store=store)


def verify_audit(actor: Actor | None, *, kept: tuple[Head, ...] = (), store: Store | None = None) -> Verification:
    """Whether the audit log is whole."""
    allowed(actor, "read audit", "verify", store=store)
    return audit.verify(kept=kept, store=store)


def _known(actor: Actor | None, fresh: Actor | None) -> Actor | None:
    if actor is not None and fresh is None:
        raise NotAllowed(f"{actor.name} may not do anything here now.", _next_step(actor))
    return fresh


def _next_step(actor: Actor) -> str:
    if actor.provider == accounts.SHELL:
        return "Have this user named under [access.shell] users in ms5ops.toml."
    return "Sign in again; where that does not help, ask an admin about the account."
