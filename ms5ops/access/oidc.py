"""Those whom an identity provider vouches for: from the claims of their ID token to an account.

Streamlit keeps the token's claims in a signed cookie for 30 days and does not look at ``exp``: it is looked at here.
Its sign-out does not reach other tabs, or whoever kept the cookie: here it ends what the provider vouched for.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ms5ops import config
from ms5ops.access import accounts, audit
from ms5ops.access.accounts import OIDC
from ms5ops.access.roles import Actor
from ms5ops.access.store import Store, access_store
from ms5ops.errors import NotAllowed

_GROUPS_LIMIT = 1_000


@dataclass(frozen=True)
class Vouched:
    """What a token says: instants in seconds since 1970."""

    names: tuple[str, ...]
    """What the person may be called, the best first: the e-mail address where it is verified, the subject, and that
    with its issuer (where the provider's address has changed, the other two are the name of whom the old one meant)."""
    subject: str
    groups: tuple[str, ...]
    issued_at: float
    expires_at: float


def read_claims(claims: Mapping[str, Any], groups_claim: str) -> Vouched | None:
    """The claims of an ID token; None where it lacks what a token must have (iss, sub, iat, exp)."""
    subject, issuer = claims.get("sub"), claims.get("iss")
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(subject, str) or not subject or not issuer:
        return None
    if not isinstance(issued, int | float) or not isinstance(expires, int | float):
        return None
    email = claims.get("email")
    is_verified = claims.get("email_verified", True) in (True, "true")
    named = claims.get(groups_claim, [])
    groups = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    possible = (email if is_verified else None, subject, f"{issuer} {subject}")
    return Vouched(
        names=tuple(accounts.clean(one)[:200] for one in possible if isinstance(one, str) and one),
        subject=f"{issuer} {subject}",
        groups=tuple(str(one) for one in groups[:_GROUPS_LIMIT]),
        issued_at=float(issued),
        expires_at=float(expires),
    )


def actor(claims: Mapping[str, Any], *, store: Store | None = None) -> Actor | None:
    """Who acts with that token at this moment; None where ``admitted`` refuses."""
    try:
        return admitted(claims, store=store)
    except NotAllowed:
        return None


def admitted(claims: Mapping[str, Any], *, store: Store | None = None) -> Actor:
    """Who acts with that token at this moment; NotAllowed says why it is nobody's, or gives no role.

    The newest token that anybody showed for this person decides: a second browser with an older one, from before a
    group was taken away, gets no more than the first. It ends when it expires, and after ``[access] session_hours``.
    """
    store = store or access_store()
    limits = config.load_settings().access
    vouched = read_claims(claims, limits.oidc.claim)
    if vouched is None:
        raise NotAllowed(
            "The identity provider's token lacks something that it must have (iss, sub, iat, exp).",
            "Tell an admin: the provider has to be asked for an ID token by the scope openid.",
        )
    ends_at = min(vouched.expires_at, vouched.issued_at + limits.session_hours * 3600)
    if ends_at <= store.now().timestamp():
        raise _ended()
    name = _note(vouched, ends_at, store)
    account = accounts.find(name, OIDC, store=store) if name else None
    if name is None or account is None:
        raise NotAllowed(f"Another person is called {vouched.names[0]} here.", "Ask an admin for a local account.")
    if account.is_disabled:
        raise NotAllowed(f"The account {name} is disabled.", "Ask an admin to enable it.")
    if account.role is None:
        raise NotAllowed(
            f"{name} is signed in at the identity provider, but none of their groups gives a role here.",
            "Ask an admin for one, and then sign in again.",
        )
    found = accounts.current(name, OIDC, store=store)
    if found is None:
        raise _ended()
    return found


def sign_out(claims: Mapping[str, Any], *, store: Store | None = None) -> None:
    """End what the provider vouched for, in all of the person's browsers; nothing where it had ended before."""
    store = store or access_store()
    vouched = read_claims(claims, config.load_settings().access.oidc.claim)
    if vouched is None:
        return
    ended = store.change("end_token", subject=vouched.subject, now=store.now().timestamp())
    for row in ended:
        account = accounts.find(row["name"], OIDC, store=store)
        who = Actor(row["name"], account.role, OIDC) if account and account.role else None
        audit.record(who, "sign out", row["name"], "done", store=store)


def _ended() -> NotAllowed:
    return NotAllowed("This sign-in at the identity provider has ended.", "Sign in again.")


def _note(vouched: Vouched, ends_at: float, store: Store) -> str | None:
    """Keep what the token says; the name, which another person's account never lends out."""
    for name in vouched.names:
        row = store.row("account", provider=OIDC, name=name)
        if row is not None and row["subject"] != vouched.subject:
            continue
        if row is None or row["issued_at"] < vouched.issued_at:
            audit.ready(store=store)
            groups = json.dumps(vouched.groups)
            new = store.change(
                "note_token",
                name=name,
                subject=vouched.subject,
                groups=groups,
                issued_at=vouched.issued_at,
                expires_at=ends_at,
                now=store.now().isoformat(),
            )
            if new:
                found = accounts.current(name, OIDC, store=store)
                details = {"groups": list(vouched.groups)[:50]}
                audit.record(found, "sign in", name, "done" if found else "refused", details, store=store)
        return name
    return None
