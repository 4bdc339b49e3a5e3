"""Tries, sessions and sign-out, with a clock that the test moves."""

import pytest

from ms5ops.access import accounts, audit, passwords, signin, throttle
from ms5ops.access.roles import Actor
from ms5ops.access.signin import Place, TooManyTries
from ms5ops.access.store import Store
from ms5ops.access.throttle import BY_NAME, BY_PLACE, Tries
from ms5ops.errors import AccountError
from tests.access.conftest import PASSWORD, Clock, configure, with_account

HERE, ELSEWHERE = Place("192.0.2.7"), Place("198.51.100.9")


def guess(place: Place, times: int, name: str = "alice") -> tuple[int, int]:
    """How many of so many wrong passwords were looked at, and how many were refused unseen."""
    looked = refused = 0
    for _ in range(times):
        try:
            signin.sign_in(name, "wrong", place)
        except TooManyTries:
            refused += 1
        except AccountError:
            looked += 1
    return looked, refused


@pytest.mark.parametrize(
    ("count", "pause_s"), [(1, 0), (4, 0), (5, 2), (6, 4), (7, 8), (13, 512), (14, 900), (40, 900), (10_000, 900)]
)
def test_the_pause_doubles_up_to_a_quarter_of_an_hour(clock: Clock, count: int, pause_s: float) -> None:
    tries = throttle.counted(Tries(count - 1, clock.now) if count > 1 else None, clock.now, BY_PLACE)
    assert tries.count == count
    assert throttle.wait_s(tries, clock.now) == pause_s


def test_tries_are_forgotten_after_a_time(clock: Clock) -> None:
    old = Tries(50, clock.now)
    clock.forward(seconds=BY_PLACE.forget_s)
    assert throttle.counted(old, clock.now, BY_PLACE) == Tries(1, clock.now)
    assert throttle.wait_s(None, clock.now) == 0


def test_five_wrong_ones_make_a_pause_that_refusals_do_not_lengthen(kept: Store, clock: Clock) -> None:
    with_account("alice", "viewer")
    assert guess(HERE, 1000) == (5, 995)
    with pytest.raises(TooManyTries) as found:
        signin.sign_in("alice", PASSWORD, HERE)
    assert found.value.wait_s == 2
    clock.forward(seconds=2)
    assert signin.sign_in("alice", PASSWORD, HERE).account.name == "alice"
    assert guess(HERE, 10) == (5, 5), "a right one clears the count"


def test_who_guesses_does_not_lock_out_another_address_name_or_browser(kept: Store, clock: Clock) -> None:
    with_account("alice", "viewer")
    with_account("bob", "viewer")
    browser = signin.sign_in("alice", PASSWORD, HERE).device
    guess(HERE, 1000)
    with pytest.raises(TooManyTries):
        signin.sign_in("alice", PASSWORD, HERE)
    assert signin.sign_in("alice", PASSWORD, ELSEWHERE)
    assert signin.sign_in("bob", PASSWORD, HERE)
    again = signin.sign_in("alice", PASSWORD, Place(HERE.address, browser))
    assert again.device == browser
    with pytest.raises(TooManyTries):
        signin.sign_in("alice", PASSWORD, Place(HERE.address, "a forged device"))


def test_many_addresses_are_held_up_by_the_name_and_known_ones_are_not(kept: Store, clock: Clock) -> None:
    with_account("alice", "viewer")
    signin.sign_in("alice", PASSWORD, ELSEWHERE)
    looked = sum(guess(Place(f"10.0.{number // 250}.{number % 250}"), 1)[0] for number in range(300))
    assert looked == BY_NAME.free
    assert signin.sign_in("alice", PASSWORD, ELSEWHERE), "a known address"
    with pytest.raises(TooManyTries) as found:
        signin.sign_in("alice", PASSWORD, HERE)
    assert found.value.wait_s <= 2
    clock.forward(seconds=2)
    assert signin.sign_in("alice", PASSWORD, HERE)


@pytest.mark.parametrize(
    ("address", "lane"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("no address", "unknown"),
        ("", "unknown"),
    ],
)
def test_what_counts_as_one_address(address: str, lane: str) -> None:
    assert Place(address).lane == lane


def test_an_unknown_name_costs_a_hash_too_and_sounds_the_same(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with_account("alice", "viewer")
    hashes = []
    real = passwords.matches

    def counted(stored: str | None, password: str) -> bool:
        hashes.append(stored)
        return real(stored, password)

    monkeypatch.setattr(passwords, "matches", counted)
    said = set()
    for name in ("alice", "who", "<script>", "\ud800", "x" * 5000):
        with pytest.raises(AccountError) as found:
            signin.sign_in(name, "wrong", HERE)
        said.add(str(found.value))
    assert len(hashes) == 5
    assert len(said) == 1
    assert {entry.subject for entry in audit.entries()} == {"alice", "(no such account)"}


def test_a_disabled_account_does_not_get_in_and_is_told_nothing_more(kept: Store) -> None:
    with_account("alice", "viewer")
    accounts.set_disabled("alice", True)
    with pytest.raises(AccountError, match="do not go together"):
        signin.sign_in("alice", PASSWORD, HERE)


def test_a_session_ends_without_use_and_after_its_longest_time(kept: Store, clock: Clock) -> None:
    with_account("alice", "dba")
    token = signin.sign_in("alice", PASSWORD, HERE).token
    clock.forward(minutes=59)
    assert signin.actor(token) == Actor("alice", "dba")
    clock.forward(minutes=1)
    assert signin.actor(token) is None, "looking on is no use"
    token = signin.sign_in("alice", PASSWORD, HERE).token
    for _ in range(23):
        clock.forward(minutes=31)
        assert signin.actor(token, touch=True)
    clock.forward(minutes=31)
    assert signin.actor(token, touch=True) is None, "twelve hours"
    assert kept.rows("session", token_hash=signin.hash_of(token)) == []


def test_the_times_are_settings(kept: Store, clock: Clock) -> None:
    configure(kept, "[access]\nsession_idle_minutes = 5\nsession_hours = 1\n")
    with_account("alice", "dba")
    token = signin.sign_in("alice", PASSWORD, HERE).token
    clock.forward(minutes=5)
    assert signin.actor(token) is None


def test_signing_out_ends_this_session_and_no_other(kept: Store) -> None:
    with_account("alice", "dba")
    first, second = (signin.sign_in("alice", PASSWORD, HERE).token for _ in range(2))
    signin.sign_out(first)
    signin.sign_out(first)
    signin.sign_out(None)
    assert signin.actor(first) is None
    assert signin.actor(second)
    assert [entry.action for entry in audit.entries()] == ["sign out", "sign in", "sign in"]


@pytest.mark.parametrize("what", ["disable", "reset", "password"])
def test_all_sessions_end_with_the_account_or_its_password(kept: Store, what: str) -> None:
    with_account("alice", "dba")
    token = signin.sign_in("alice", PASSWORD, HERE).token
    if what == "disable":
        accounts.set_disabled("alice", True)
        accounts.set_disabled("alice", False)
    elif what == "reset":
        accounts.reset("alice")
    else:
        accounts.set_password("alice", "another good password")
    assert signin.holder(token) is None


@pytest.mark.parametrize("is_outdated", [False, True])
@pytest.mark.parametrize("what", ["reset", "disable"])
def test_a_password_that_is_taken_away_while_it_is_looked_at_lets_nobody_in(
    kept: Store, monkeypatch: pytest.MonkeyPatch, what: str, is_outdated: bool
) -> None:
    with_account("alice", "viewer")
    look = passwords.matches

    def meanwhile(stored: str | None, password: str) -> bool:
        found = look(stored, password)
        accounts.reset("alice") if what == "reset" else accounts.set_disabled("alice", True)
        return found

    monkeypatch.setattr(passwords, "matches", meanwhile)
    monkeypatch.setattr(passwords, "outdated", lambda _stored: is_outdated)
    with pytest.raises(AccountError, match="do not go together"):
        signin.sign_in("alice", PASSWORD, HERE)
    assert what == "disable" or not look(accounts.known("alice").password_hash, PASSWORD), "the reset stands"


def test_choosing_a_password_ends_the_other_sessions(kept: Store) -> None:
    with_account("alice", "dba")
    mine, other = (signin.sign_in("alice", PASSWORD, HERE).token for _ in range(2))
    signin.choose_password(mine, PASSWORD, "another good password", "another good password")
    assert signin.actor(mine) == Actor("alice", "dba")
    assert signin.actor(other) is None


def test_a_stolen_session_cannot_guess_the_password(kept: Store) -> None:
    with_account("alice", "dba")
    token = signin.sign_in("alice", PASSWORD, HERE).token
    for _ in range(5):
        with pytest.raises(AccountError, match="not right"):
            signin.choose_password(token, "wrong", "another good password", "another good password")
    with pytest.raises(TooManyTries):
        signin.choose_password(token, PASSWORD, "another good password", "another good password")


@pytest.mark.parametrize("token", [None, "", "forged", "x" * 10_000, "\ud800", "' OR 1=1 --"])
def test_a_forged_token_is_nobodys(kept: Store, token: str | None) -> None:
    with_account("alice", "dba")
    signin.sign_in("alice", PASSWORD, HERE)
    assert signin.holder(token) is None


def test_the_role_of_a_session_is_the_one_of_now(kept: Store) -> None:
    with_account("alice", "operator")
    token = signin.sign_in("alice", PASSWORD, HERE).token
    accounts.set_role("alice", "viewer")
    assert signin.actor(token) == Actor("alice", "viewer")


def test_neither_token_nor_password_is_stored(kept: Store) -> None:
    with_account("alice", "dba")
    done = signin.sign_in("alice", PASSWORD, HERE)
    everything = b"".join(file.read_bytes() for file in kept.file.parent.iterdir())
    for secret in (done.token, done.device, PASSWORD):
        assert secret.encode() not in everything
