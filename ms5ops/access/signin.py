"""Signing in with a local account: tries, sessions, sign-out.

A session is a random token of 256 bits in a cookie; the store keeps only its SHA-256. It ends at sign-out, after a time
without use, after a longest time, and when the account is disabled or gets another password. The role is none of its
business: it is read from the account each time.
"""

import ipaddress
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from ms5ops import config
from ms5ops.access import accounts, audit, passwords, throttle
from ms5ops.access.accounts import LOCAL, Account
from ms5ops.access.roles import Actor
from ms5ops.access.store import Row, Store, access_store
from ms5ops.access.throttle import BY_NAME, BY_PLACE, Rule, Tries
from ms5ops.errors import AccountError
from ms5ops.units import duration_text

KNOWN_FOR = timedelta(days=90)
TOUCH_EVERY = timedelta(minutes=1)
"""A session's last use is written no oftener than this: a page asks several times a second."""
_SIGN_IN = "sign in"
_UNKNOWN = "(no such account)"


class TooManyTries(AccountError):
    """No further try is looked at for ``wait_s`` seconds."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(
            "Too many wrong passwords were tried.", f"Try again in {duration_text(max(1, round(wait_s + 0.5)))}."
        )
        self.wait_s = wait_s


@dataclass(frozen=True)
class Place:
    """Where a try comes from: the network address, and the browser's device token where it was let in before."""

    address: str
    device: str | None = None

    @property
    def lane(self) -> str:
        """Who shares a queue and a count: an IPv4 address, or the /64 of an IPv6 one, which one line has whole."""
        try:
            found = ipaddress.ip_address(self.address)
        except ValueError:
            return "unknown"
        mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
        if mapped or isinstance(found, ipaddress.IPv4Address):
            return str(mapped or found)
        return str(ipaddress.ip_network((found, 64), strict=False))


@dataclass(frozen=True)
class SignedIn:
    """A session that has begun: its token and the browser's device token, both for cookies only."""

    token: str
    device: str
    account: Account


@dataclass(frozen=True)
class Try:
    """A try that may be made: ``lane`` is its place in the queue for the password check."""

    name: str
    place: Place
    lane: str
    keys: tuple[str, ...]


def begin_try(name: str, place: Place, *, store: Store | None = None) -> Try:
    """Count a try before its password is looked at; TooManyTries where it is not to be looked at, at little cost."""
    store = store or access_store()
    name = accounts.clean(name)[:200]
    known = _known_places(store, name, place)
    lane = known[0] if known else place.lane
    rules = {_key(lane, name): BY_PLACE}
    if not known:
        rules[_key("", name)] = BY_NAME
    _count(store, rules)
    return Try(name, place, lane, tuple(rules))


def _count(store: Store, rules: dict[str, Rule]) -> None:
    now = store.now()
    with store.reading() as read:
        _refuse(max(throttle.wait_s(_tries(read("failed_try", key=key)), now) for key in rules))
    with store.changing() as change:
        counts = {key: _tries(change("failed_try", key=key)) for key in rules}
        _refuse(max(throttle.wait_s(one, now) for one in counts.values()))
        for key, rule in rules.items():
            new = throttle.counted(counts[key], now, rule)
            closed = new.closed_until.isoformat() if new.closed_until else None
            change("note_try", key=key, tries=new.count, now=now.isoformat(), closed_until=closed)
        change("drop_old_tries", before=(now - timedelta(seconds=BY_PLACE.forget_s)).isoformat())


def finish_try(begun: Try, password: str, *, store: Store | None = None) -> SignedIn:
    """Look at the password: a session, or AccountError that does not tell whether there is such an account."""
    store = store or access_store()
    account = accounts.find(begun.name, LOCAL, store=store)
    right = passwords.matches(account.password_hash if account else None, password)
    if account is None or not right or account.is_disabled:
        subject = account.name if account else _UNKNOWN  # what was typed may be a password in the wrong field
        audit.record(None, _SIGN_IN, subject, "refused", {"address": begun.place.address[:64]}, store=store)
        raise _wrong()
    if account.one_time_ends is not None and account.one_time_ends <= store.now():
        audit.record(None, _SIGN_IN, account.name, "refused", {"reason": "one-time password too old"}, store=store)
        raise AccountError("This one-time password has expired.", "Ask an admin for another one: `account reset`.")
    if account.password_hash and passwords.outdated(account.password_hash):
        new = passwords.hashed(password)
        store.change("rehash", name=account.name, former=account.password_hash, password_hash=new)
        account = replace(account, password_hash=new)
    audit.record(_who(account), _SIGN_IN, account.name, "done", {"address": begun.place.address[:64]}, store=store)
    return _begin_session(store, account, begun)


def sign_in(name: str, password: str, place: Place, *, store: Store | None = None) -> SignedIn:
    """Both steps of a try at once."""
    return finish_try(begin_try(name, place, store=store), password, store=store)


def holder(token: str | None, *, touch: bool = False, store: Store | None = None) -> Account | None:
    """Whose session it is, if it still runs (also where they first have to choose a password); None otherwise.

    ``touch`` counts as use, which puts the end for want of use off.
    """
    if not token or len(token) > 200:
        return None
    store = store or access_store()
    row = store.row("session", token_hash=hash_of(token))
    if row is None:
        return None
    limits = config.load_settings().access
    now, seen = store.now(), datetime.fromisoformat(row["seen_at"])
    began = datetime.fromisoformat(row["created_at"])
    if now - seen >= timedelta(minutes=limits.session_idle_minutes) or now - began >= timedelta(
        hours=limits.session_hours
    ):
        store.change("end_session", token_hash=hash_of(token))
        return None
    if touch and now - seen >= TOUCH_EVERY:
        store.change("touch_session", token_hash=hash_of(token), now=now.isoformat())
    account = accounts.find(row["name"], LOCAL, store=store)
    return None if account is None or account.is_disabled else account


def actor(token: str | None, *, touch: bool = False, store: Store | None = None) -> Actor | None:
    """Who acts with that token at this moment; None: nobody (no session, or a password has to be chosen first)."""
    found = holder(token, touch=touch, store=store)
    return found.actor() if found else None


def sign_out(token: str | None, *, store: Store | None = None) -> None:
    """End the session; nothing where there is none."""
    store = store or access_store()
    ended = store.change("end_session", token_hash=hash_of(token)) if token else []
    for row in ended:
        account = accounts.find(row["name"], LOCAL, store=store)
        audit.record(_who(account) if account else None, "sign out", row["name"], "done", store=store)


def choose_password(token: str | None, present: str, new: str, again: str, *, store: Store | None = None) -> None:
    """Their own new password: all their other sessions end. AccountError says what is wrong.

    The present password is asked for, and throttled, as at a sign-in: an open session alone does not change it.
    """
    store = store or access_store()
    account = holder(token, store=store)
    if account is None or token is None:
        raise AccountError("Nobody is signed in here any more.", "Sign in again.")
    of_session = _key(f"session {hash_of(token)}", account.name)
    _count(store, {of_session: BY_PLACE})
    if not passwords.matches(account.password_hash, present):
        audit.record(_who(account), "change password", account.name, "refused", store=store)
        raise AccountError("The present password is not right.", "Type the one that you signed in with.")
    store.change("forget_tries", key=of_session)
    if new != again:
        raise AccountError("The two new passwords are not the same.", "Type the new one twice.")
    if passwords.normalised(new) == passwords.normalised(present):
        raise AccountError("That is the password that you have.", "Choose another one.")
    audit.ready(store=store)
    accounts.set_password(account.name, new, keep_session=hash_of(token), store=store)
    audit.record(_who(account), "change password", account.name, "done", store=store)


def hash_of(token: str) -> str:
    """What the store keeps of a token. It has 256 random bits, so that a plain hash cannot be reversed."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _begin_session(store: Store, account: Account, begun: Try) -> SignedIn:
    token = secrets.token_urlsafe(32)
    is_known = begun.lane.startswith(_DEVICE)
    device = begun.place.device if is_known and begun.place.device else secrets.token_urlsafe(32)
    limits = config.load_settings().access
    now = store.now()
    with store.changing() as change:
        for key in begun.keys:
            # Of a name under attack from many places only this one try is taken back.
            change("take_back_try" if key == _key("", account.name) else "forget_tries", key=key)
        if not change(
            "add_session", token_hash=hash_of(token), name=account.name, password_hash=account.password_hash,
            now=now.isoformat(), address=begun.place.lane,
        ):  # fmt: skip
            raise _wrong()  # it was right when the look at it, which takes its time, began
        for place in (_DEVICE + hash_of(device), begun.place.lane):
            change("note_place", name=account.name, place=place, now=now.isoformat())
        change("note_sign_in", provider=LOCAL, name=account.name, now=now.isoformat())
        change(
            "drop_old_sessions",
            began=(now - timedelta(hours=limits.session_hours)).isoformat(),
            used=(now - timedelta(minutes=limits.session_idle_minutes)).isoformat(),
        )
    return SignedIn(token, device, account)


def _wrong() -> AccountError:
    return AccountError("That name and password do not go together.", "Try again, or ask an admin to reset it.")


_DEVICE = "device "


def _known_places(store: Store, name: str, place: Place) -> list[str]:
    """The browser, then the address, where ``name`` has signed in from it in the last 90 days.

    A known browser has a count of its own, so that somebody who guesses behind the same address does not shut it out.
    """
    asked = [place.lane] if place.device is None else [_DEVICE + hash_of(place.device), place.lane]
    oldest = store.now() - KNOWN_FOR
    with store.reading() as read:
        found = [(one, read("known_place", name=name, place=one)) for one in asked]
    return [one for one, rows in found if rows and datetime.fromisoformat(rows[0]["seen_at"]) > oldest]


def _tries(rows: list[Row]) -> Tries | None:
    if not rows:
        return None
    closed = rows[0]["closed_until"]
    return Tries(
        rows[0]["tries"],
        datetime.fromisoformat(rows[0]["last_at"]),
        datetime.fromisoformat(closed) if closed else None,
    )


def _refuse(wait_s: float) -> None:
    if wait_s > 0:
        raise TooManyTries(wait_s)


def _key(lane: str, name: str) -> str:
    """Hashed, so that whatever was typed as a name takes the same room, and no list of names grows in the store."""
    return sha256(f"{lane}\n{name}".encode()).hexdigest()


def _who(account: Account) -> Actor:
    return Actor(account.name, account.role or "viewer", account.provider)
