"""Those whom an identity provider vouches for: from the claims of their ID token to an account.

Streamlit keeps the token's claims in a signed cookie for 30 days and does not look at ``exp``: it is looked at here.
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

_GROUPS_LIMIT = 1_000


@dataclass(frozen=True)
class Vouched:
    """What a token says: instants in seconds since 1970."""

    names: tuple[str, ...]
    """What the person may be called, the best first: the e-mail address where it is verified, then the subject."""
    subject: str
    groups: tuple[str, ...]
    issued_at: float
    expires_at: float


def read_claims(claims: Mapping[str, Any], groups_claim: str) -> Vouched | None:
    """The claims of an ID token; None where it lacks what a token must have (iss, sub, exp)."""
    subject, issuer, expires = claims.get("sub"), claims.get("iss"), claims.get("exp")
    if not isinstance(subject, str) or not subject or not isinstance(expires, int | float) or not issuer:
        return None
    email = claims.get("email")
    is_verified = claims.get("email_verified", True) in (True, "true")
    named = claims.get(groups_claim, [])
    groups = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    issued = claims.get("iat")
    return Vouched(
        names=tuple(accounts.clean(one)[:200] for one in (email, subject) if isinstance(one, str) and one)[
            0 if is_verified else -1 :
        ],
        subject=f"{issuer} {subject}",
        groups=tuple(str(one) for one in groups[:_GROUPS_LIMIT]),
        issued_at=float(issued) if isinstance(issued, int | float) else 0.0,
        expires_at=float(expires),
    )


def actor(claims: Mapping[str, Any], *, store: Store | None = None) -> Actor | None:
    """Who acts with that token at this moment; None where it has expired, or gives no role, or they are disabled.

    The newest token that anybody showed for this person decides: a second browser with an older one, from before a
    group was taken away, gets no more than the first.
    """
    store = store or access_store()
    vouched = read_claims(claims, config.load_settings().access.oidc.claim)
    if vouched is None or vouched.expires_at <= store.now().timestamp():
        return None
    name = _note(vouched, store)
    return accounts.current(name, OIDC, store=store) if name else None


def _note(vouched: Vouched, store: Store) -> str | None:
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
                expires_at=vouched.expires_at,
                now=store.now().isoformat(),
            )
            if new:
                found = accounts.current(name, OIDC, store=store)
                details = {"groups": list(vouched.groups)[:50]}
                audit.record(found, "sign in", name, "done" if found else "refused", details, store=store)
        return name
    return None
