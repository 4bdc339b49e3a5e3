"""Those whom an identity provider vouches for: from the claims of their ID token to an account.

Who somebody is, their subject says (``sub`` with ``iss``), which no other person ever has; the address is only what
they are called, and that only where the provider says it is theirs: some let people, or other tenants, set any.

Streamlit keeps the token's claims in a signed cookie for 30 days and does not look at ``exp``: it is looked at here.
Its sign-out does not reach other tabs, or whoever kept the cookie: here it ends what the provider vouched for.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ms5ops import config
from ms5ops.access import accounts, audit
from ms5ops.access.accounts import OIDC
from ms5ops.access.roles import Actor
from ms5ops.access.store import Row, Store, access_store
from ms5ops.config import OidcAccess
from ms5ops.errors import NotAllowed

_GROUPS_LIMIT = 1_000
_NAME_LIMIT = 200


@dataclass(frozen=True)
class Vouched:
    """What a token says: instants in seconds since 1970."""

    address: str | None
    """The e-mail address, where it is theirs beyond doubt; None: none, or it may be anybody's."""
    denied_address: str | None
    """The e-mail address that the provider says is not verified."""
    names: tuple[str, str]
    """What else the person may be called: the subject, and that with its issuer (where the provider's own address has
    changed, the first is the name of whom the old one meant)."""
    subject: str
    groups: tuple[str, ...]
    issued_at: float
    expires_at: float


def read_claims(claims: Mapping[str, Any], settings: OidcAccess) -> Vouched | None:
    """The claims of an ID token; None where it lacks what a token must have (iss, sub, iat, exp).

    An address counts where ``email_verified`` says so, or where the token has no such claim and
    ``settings.email_is_verified`` does. A claim that is there is never overruled.
    """
    subject, issuer = claims.get("sub"), claims.get("iss")
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(subject, str) or not subject or not issuer:
        return None
    if not isinstance(issued, int | float) or not isinstance(expires, int | float):
        return None
    email = claims.get("email")
    address = _name(email) if isinstance(email, str) and email.strip() else None
    is_said = "email_verified" in claims
    is_verified = claims["email_verified"] in (True, "true") if is_said else settings.email_is_verified
    named = claims.get(settings.claim, [])
    groups = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    return Vouched(
        address=address if is_verified else None,
        denied_address=address if is_said and not is_verified else None,
        names=(_name(subject), _name(f"{issuer} {subject}")),
        subject=f"{issuer} {subject}",
        groups=tuple(str(one) for one in groups[:_GROUPS_LIMIT]),
        issued_at=float(issued),
        expires_at=float(expires),
    )


def _name(text: str) -> str:
    return accounts.clean(text)[:_NAME_LIMIT]


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
    vouched = read_claims(claims, limits.oidc)
    if vouched is None:
        raise NotAllowed(
            "The identity provider's token lacks something that it must have (iss, sub, iat, exp).",
            "Tell an admin: the provider has to be asked for an ID token by the scope openid.",
        )
    ends_at = min(vouched.expires_at, vouched.issued_at + limits.session_hours * 3600)
    if ends_at <= store.now().timestamp():
        raise _ended()
    theirs = store.rows("accounts_of_subject", subject=vouched.subject)
    name = _note(vouched, _names(vouched, theirs), ends_at, store)
    account = accounts.find(name, OIDC, store=store) if name else None
    if name is None or account is None:
        raise NotAllowed(f"Another person is called {vouched.names[0]} here.", "Ask an admin for a local account.")
    # Whichever of their names was disabled: what a provider calls somebody may change, and who is shut out stays so.
    disabled = name if account.is_disabled else next((one["name"] for one in theirs if one["disabled_at"]), None)
    if disabled:
        raise NotAllowed(f"The account {disabled} is disabled.", "Ask an admin to enable it.")
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
    vouched = read_claims(claims, config.load_settings().access.oidc)
    if vouched is None:
        return
    ended = store.change("end_token", subject=vouched.subject, now=store.now().timestamp())
    for row in ended:
        account = accounts.find(row["name"], OIDC, store=store)
        who = Actor(row["name"], account.role, OIDC) if account and account.role else None
        audit.record(who, "sign out", row["name"], "done", store=store)


def _ended() -> NotAllowed:
    return NotAllowed("This sign-in at the identity provider has ended.", "Sign in again.")


def _names(vouched: Vouched, theirs: Sequence[Row]) -> list[str]:
    """What the person may be called, the best first; ``theirs`` are the names of this subject, the last used first.

    Without an address of their own they keep the name that they have: an older version took it from a token that did
    not say whether the address is verified, or the provider no longer sends it.
    """
    first = [vouched.address] if vouched.address else []
    kept = [row["name"] for row in theirs if row["name"] != vouched.denied_address]
    return [*first, *kept, *vouched.names]


def _note(vouched: Vouched, names: Sequence[str], ends_at: float, store: Store) -> str | None:
    """Keep what the token says; the name, which another person's account never lends out."""
    for name in names:
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
