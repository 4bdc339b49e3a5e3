"""Accounts: who there is, with which role, and what role somebody has at this moment.

Local accounts have a password; those of an identity provider ("oidc") are noted when their token is first seen, and
their role follows from its groups. Nothing here asks whether the one who calls may do it: ``manage`` does.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import get_args

from ms5ops import config
from ms5ops.access import passwords, shell
from ms5ops.access.roles import ROLES, Actor, Role
from ms5ops.access.store import Row, Store, access_store
from ms5ops.config import OidcAccess
from ms5ops.errors import AccountError

LOCAL, OIDC, SHELL = "local", "oidc", "shell"
ONE_TIME_LASTS = timedelta(days=7)
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


@dataclass(frozen=True)
class Account:
    """One account as it stands. ``role`` None: it may do nothing (an oidc account whose groups give none)."""

    name: str
    provider: str
    role: Role | None
    is_disabled: bool
    must_change: bool
    created_at: datetime
    last_sign_in: datetime | None
    password_hash: str | None = field(repr=False)
    one_time_ends: datetime | None
    vouched_until: datetime | None

    @property
    def state(self) -> str:
        """How it stands, in words."""
        if self.is_disabled:
            return "disabled"
        return "one-time password" if self.must_change else "in use"

    def actor(self) -> Actor | None:
        """Whom it makes; None where the account is disabled, has no role, or first needs a password of its own."""
        if self.is_disabled or self.must_change or self.role is None:
            return None
        return Actor(self.name, self.role, self.provider)


def current(name: str, provider: str, *, store: Store | None = None) -> Actor | None:
    """Who that is at this moment, with the role of this moment; None: nobody who may do anything.

    To be called right before a protected action, whatever was known of the actor before. "shell" is the user of the
    operating system that runs this process, and nobody else.
    """
    if provider == SHELL:
        return shell.actor() if name == shell.user() else None
    store = store or access_store()
    account = find(name, provider, store=store)
    if account is None or (account.vouched_until is not None and account.vouched_until <= store.now()):
        return None
    return account.actor()


def find(name: str, provider: str = LOCAL, *, store: Store | None = None) -> Account | None:
    """One account, or None."""
    row = (store or access_store()).row("account", provider=provider, name=clean(name))
    return _account(row, config.load_settings().access.oidc) if row else None


def same_subject(name: str, other: str, *, store: Store | None = None) -> bool:
    """Whether two names of an identity provider's people are one person's, who was called otherwise before."""
    store = store or access_store()
    found = [store.row("account", provider=OIDC, name=clean(one)) for one in (name, other)]
    subjects = [row["subject"] for row in found if row is not None]
    return len(subjects) == 2 and subjects[0] == subjects[1]


def every(*, store: Store | None = None) -> list[Account]:
    """All accounts, by provider and name."""
    mapping = config.load_settings().access.oidc
    return [_account(row, mapping) for row in (store or access_store()).rows("accounts")]


def add(name: str, role: Role, *, store: Store | None = None) -> str:
    """Make a local account and return its one-time password; AccountError where the name is wrong or taken."""
    store = store or access_store()
    name = checked_name(name)
    password, ends = _one_time(store)
    made = store.change(
        "add_account",
        name=name,
        role=checked_role(role),
        password_hash=passwords.hashed(password),
        one_time_ends=ends,
        now=store.now().isoformat(),
    )
    if not made:
        raise AccountError(f"There is an account {name} already.", "Take another name, or reset that one.")
    return password


def reset(name: str, *, store: Store | None = None) -> str:
    """A new one-time password; every session of the account ends."""
    store = store or access_store()
    account = known(name, store=store)
    password, ends = _one_time(store)
    _store_password(store, account.name, password, one_time_ends=ends)
    return password


def set_password(name: str, password: str, *, keep_session: str = "", store: Store | None = None) -> None:
    """Their own password; AccountError where the rules refuse it. Every session ends but the one of that token hash."""
    store = store or access_store()
    account = known(name, store=store)
    _store_password(store, account.name, passwords.check(password, account.name), keep_session=keep_session)


def set_role(name: str, role: Role, *, store: Store | None = None) -> Role | None:
    """Another role, from the next action on; returns the former one. AccountError for the last admin."""
    store = store or access_store()
    account = known(name, store=store)
    with store.changing() as change:
        if checked_role(role) != "admin":
            _keep_an_admin(change("other_admins", name=account.name), account)
        change("set_role", name=account.name, role=role, now=store.now().isoformat())
    return account.role


def set_disabled(name: str, disabled: bool, provider: str = LOCAL, *, store: Store | None = None) -> None:
    """Disable the account, which ends its sessions, or enable it again. AccountError for the last admin."""
    store = store or access_store()
    account = known(name, provider, store=store)
    now = store.now().isoformat()
    with store.changing() as change:
        if disabled and provider == LOCAL:
            _keep_an_admin(change("other_admins", name=account.name), account)
            change("end_sessions", name=account.name, but="")
        change("set_disabled", provider=provider, name=account.name, disabled_at=now if disabled else None, now=now)


def known(name: str, provider: str = LOCAL, *, store: Store | None = None) -> Account:
    """The account of that name; AccountError where there is none."""
    account = find(name, provider, store=store)
    if account is None:
        raise AccountError(f"There is no account {clean(name)[:64]!r}.", "See which there are: `account list`.")
    return account


def clean(name: str) -> str:
    """A name as it is looked up: without spaces around it, in small letters, and always text that can be stored."""
    return name.strip().lower().encode("utf-8", "replace").decode()


def checked_name(name: str) -> str:
    """The name, if a local account may have it; AccountError says what it has to look like."""
    found = clean(name)
    if not _NAME.fullmatch(found):
        raise AccountError(
            f"An account cannot be called {found[:64]!r}.",
            "Take up to 64 of a-z, 0-9 and . _ @ + -, with a letter or digit first.",
        )
    return found


def checked_role(role: str) -> Role:
    """The role, if there is such; AccountError names those that there are."""
    for one in get_args(Role):
        if one == role:
            return one  # type: ignore[no-any-return]
    raise AccountError(f"There is no role {role[:64]!r}.", f"Choose one of: {', '.join(ROLES)}.")


def role_of_groups(groups: list[str], mapping: OidcAccess) -> Role | None:
    """The highest role that the groups give, or the default one."""
    found = [mapping.roles[group] for group in groups if group in mapping.roles]
    return max(found, key=ROLES.index) if found else mapping.default


def _one_time(store: Store) -> tuple[str, str]:
    return passwords.one_time(), (store.now() + ONE_TIME_LASTS).isoformat()


def _store_password(
    store: Store, name: str, password: str, *, one_time_ends: str | None = None, keep_session: str = ""
) -> None:
    hashed = passwords.hashed(password)
    with store.changing() as change:
        change(
            "set_password",
            name=name,
            password_hash=hashed,
            must_change=one_time_ends is not None,
            one_time_ends=one_time_ends,
            now=store.now().isoformat(),
        )
        change("end_sessions", name=name, but=keep_session)


def _keep_an_admin(found: list[Row], account: Account) -> None:
    if account.role == "admin" and not account.is_disabled and not found[0]["admins"]:
        raise AccountError(f"{account.name} is the last admin.", "Make somebody else admin first.")


def _account(row: Row, mapping: OidcAccess) -> Account:
    role = row["role"] if row["provider"] == LOCAL else role_of_groups(json.loads(row["groups"] or "[]"), mapping)
    zone_of = datetime.fromisoformat(row["created_at"]).tzinfo
    return Account(
        name=row["name"],
        provider=row["provider"],
        role=role,
        is_disabled=row["disabled_at"] is not None,
        must_change=bool(row["must_change"]),
        created_at=datetime.fromisoformat(row["created_at"]),
        last_sign_in=_instant(row["last_sign_in"]),
        password_hash=row["password_hash"],
        one_time_ends=_instant(row["one_time_ends"]),
        vouched_until=datetime.fromtimestamp(row["expires_at"], zone_of) if row["expires_at"] is not None else None,
    )


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
