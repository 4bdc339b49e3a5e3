"""Those whom an identity provider vouches for: claims to roles, expiry, and tokens that are older than the newest."""

from typing import Any

import pytest

from ms5ops.access import accounts, audit, oidc
from ms5ops.access.roles import Actor
from ms5ops.access.store import Store
from ms5ops.errors import NotAllowed
from tests.access.conftest import Clock, configure

TOML = """
[access.oidc]
claim = "groups"
roles = { "ms5-readers" = "viewer", "ms5-operators" = "operator", "ms5-admins" = "admin" }
"""


def claims(clock: Clock, groups: object = ("ms5-operators",), **others: Any) -> dict[str, Any]:
    now = clock.now.timestamp()
    return {
        "iss": "https://idp.example",
        "sub": "8f3a",
        "email": "Maria@Example.org",
        "email_verified": True,
        "groups": list(groups) if isinstance(groups, tuple) else groups,
        "iat": now,
        "exp": now + 3600,
        **others,
    }


def test_groups_give_the_highest_role(kept: Store, clock: Clock) -> None:
    configure(kept, TOML)
    assert oidc.actor(claims(clock, ("other", "ms5-readers", "ms5-operators"))) == Actor(
        "maria@example.org", "operator", "oidc"
    )
    (entry,) = audit.entries()
    assert (entry.actor, entry.action, entry.outcome) == ("maria@example.org", "sign in", "done")
    oidc.actor(claims(clock))
    assert len(audit.entries()) == 1, "the same token again is no new sign-in"


@pytest.mark.parametrize("groups", [(), ("other",), "other", None, 7, ({"x": 1},)])
def test_without_a_known_group_nobody_is_let_in(kept: Store, clock: Clock, groups: object) -> None:
    configure(kept, TOML)
    assert oidc.actor(claims(clock, groups)) is None
    assert audit.entries()[0].outcome == "refused"
    configure(kept, TOML + 'default = "viewer"\n')
    assert oidc.actor(claims(clock, groups)) == Actor("maria@example.org", "viewer", "oidc")


def test_another_claim_and_a_single_text_are_read(kept: Store, clock: Clock) -> None:
    configure(kept, TOML.replace('claim = "groups"', 'claim = "roles"'))
    found = oidc.actor(claims(clock, roles="ms5-admins"))
    assert found is not None
    assert found.role == "admin"


def test_an_expired_token_is_nobodys(kept: Store, clock: Clock) -> None:
    configure(kept, TOML)
    token = claims(clock)
    assert oidc.actor(token)
    clock.forward(seconds=3600)
    assert oidc.actor(token) is None
    assert accounts.current("maria@example.org", "oidc") is None, "for the service as for the page"


@pytest.mark.parametrize("missing", ["sub", "iss", "iat", "exp"])
def test_a_token_without_what_it_must_have_is_nobodys(kept: Store, clock: Clock, missing: str) -> None:
    configure(kept, TOML)
    token = claims(clock)
    del token[missing]
    assert oidc.actor(token) is None


def test_the_newest_token_decides_for_all_browsers(kept: Store, clock: Clock) -> None:
    configure(kept, TOML)
    old = claims(clock, ("ms5-admins",))
    assert oidc.actor(old) == Actor("maria@example.org", "admin", "oidc")
    clock.forward(minutes=1)
    assert oidc.actor(claims(clock, ("ms5-readers",))) == Actor("maria@example.org", "viewer", "oidc")
    assert oidc.actor(old) == Actor("maria@example.org", "viewer", "oidc")


def test_a_role_follows_the_settings_of_now_and_a_disabled_person_is_out(kept: Store, clock: Clock) -> None:
    configure(kept, TOML)
    oidc.actor(claims(clock))
    configure(kept, TOML.replace('"operator"', '"dba"'))
    assert accounts.current("maria@example.org", "oidc") == Actor("maria@example.org", "dba", "oidc")
    accounts.set_disabled("maria@example.org", True, "oidc")
    assert oidc.actor(claims(clock)) is None


def test_an_address_that_is_unverified_or_somebody_elses_is_not_the_name(kept: Store, clock: Clock) -> None:
    configure(kept, TOML)
    unverified = oidc.actor(claims(clock, email_verified=False))
    assert unverified is not None
    assert unverified.name == "8f3a"
    assert oidc.actor(claims(clock)) == Actor("maria@example.org", "operator", "oidc")
    stranger = oidc.actor(claims(clock, ("ms5-admins",), sub="other"))
    assert stranger == Actor("other", "admin", "oidc")
    assert accounts.current("maria@example.org", "oidc") == Actor("maria@example.org", "operator", "oidc")


def silent(clock: Clock, **others: Any) -> dict[str, Any]:
    """The claims of a provider that does not say whether addresses are verified."""
    found = claims(clock, **others)
    del found["email_verified"]
    return found


def test_an_address_that_nobody_vouches_for_is_not_the_name(kept: Store, clock: Clock) -> None:
    """As of another tenant of Microsoft Entra ID, whose admin gives its people any address."""
    configure(kept, TOML)
    assert oidc.actor(silent(clock)) == Actor("8f3a", "operator", "oidc")
    assert accounts.find("maria@example.org", "oidc") is None


def test_a_provider_whose_addresses_are_its_peoples_own_gives_them_their_names(kept: Store, clock: Clock) -> None:
    configure(kept, TOML)
    oidc.actor(silent(clock))
    configure(kept, TOML + "email_is_verified = true\n")
    clock.forward(minutes=1)
    assert oidc.actor(silent(clock)) == Actor("maria@example.org", "operator", "oidc")
    assert oidc.actor(silent(clock, sub="other")) == Actor("other", "operator", "oidc"), "hers already"


@pytest.mark.parametrize("said", [False, "false", None, 0, "yes"])
def test_what_the_provider_says_of_an_address_is_never_overruled(kept: Store, clock: Clock, said: object) -> None:
    configure(kept, TOML + "email_is_verified = true\n")
    assert oidc.actor(claims(clock, email_verified=said)) == Actor("8f3a", "operator", "oidc")


@pytest.mark.parametrize("later", [{}, {"email": "new@example.org"}, {"email": None}])
def test_who_has_an_account_keeps_it_though_the_address_is_no_longer_believed(
    kept: Store, clock: Clock, later: dict[str, Any]
) -> None:
    configure(kept, TOML + "email_is_verified = true\n")  # as all addresses were believed once
    oidc.actor(silent(clock))
    configure(kept, TOML)
    clock.forward(minutes=1)
    token = silent(clock, groups=("ms5-admins",), **later)
    assert oidc.actor(token) == Actor("maria@example.org", "admin", "oidc")
    assert [one.name for one in accounts.every()] == ["maria@example.org"]
    assert oidc.actor(silent(clock, sub="other")) == Actor("other", "operator", "oidc"), "the subject is what counts"
    denied = claims(clock, groups=("ms5-readers",), email_verified=False)
    assert oidc.actor(denied) == Actor("8f3a", "viewer", "oidc"), "an address that is denied is no name"
    clock.forward(minutes=1)
    oidc.sign_out(silent(clock))
    assert oidc.actor(token) is None


def test_who_is_shut_out_stays_so_under_another_name(kept: Store, clock: Clock) -> None:
    configure(kept, TOML)
    oidc.actor(silent(clock))
    accounts.set_disabled("8f3a", True, "oidc")
    configure(kept, TOML + "email_is_verified = true\n")
    clock.forward(minutes=1)
    with pytest.raises(NotAllowed, match="The account 8f3a is disabled"):
        oidc.admitted(silent(clock))


def test_whom_the_provider_called_otherwise_before_gets_a_name_of_their_own(kept: Store, clock: Clock) -> None:
    configure(kept, TOML)
    oidc.actor(claims(clock, email=None))
    oidc.actor(claims(clock))
    moved = oidc.actor(claims(clock, iss="https://new.example"))
    assert moved == Actor("https://new.example 8f3a", "operator", "oidc")


@pytest.mark.parametrize(
    ("changes", "happened"),
    [
        ({"groups": ["other"]}, "maria@example.org is signed in at the identity provider, but none of their groups"),
        ({"exp": 0}, "This sign-in at the identity provider has ended."),
        ({"iss": None}, "lacks something"),
    ],
)
def test_why_somebody_is_not_admitted(kept: Store, clock: Clock, changes: dict[str, Any], happened: str) -> None:
    configure(kept, TOML)
    with pytest.raises(NotAllowed, match=happened):
        oidc.admitted(claims(clock, **changes))


def test_a_disabled_person_is_told_so(kept: Store, clock: Clock) -> None:
    configure(kept, TOML)
    oidc.actor(claims(clock))
    accounts.set_disabled("maria@example.org", True, "oidc")
    with pytest.raises(NotAllowed, match="is disabled"):
        oidc.admitted(claims(clock))


def test_a_sign_in_lasts_no_longer_than_the_settings_say(kept: Store, clock: Clock) -> None:
    configure(kept, f"[access]\nsession_hours = 2\n{TOML}")
    token = claims(clock, exp=clock.now.timestamp() + 30 * 86_400)
    clock.forward(minutes=119)
    assert oidc.actor(token)
    clock.forward(minutes=1)
    assert oidc.actor(token) is None
    assert accounts.current("maria@example.org", "oidc") is None, "for the service as for the page"


def test_a_sign_out_ends_it_in_every_browser_until_the_next_sign_in(kept: Store, clock: Clock) -> None:
    configure(kept, TOML)
    token = claims(clock)
    oidc.actor(token)
    clock.forward(minutes=1)
    oidc.sign_out(token)
    with pytest.raises(NotAllowed, match="has ended"):
        oidc.admitted(token)
    assert accounts.current("maria@example.org", "oidc") is None
    oidc.sign_out(token)
    assert [(one.actor, one.action, one.outcome) for one in audit.entries()] == [
        ("maria@example.org", "sign out", "done"), ("maria@example.org", "sign in", "done"),
    ]  # fmt: skip
    clock.forward(minutes=1)
    assert oidc.actor(claims(clock)) == Actor("maria@example.org", "operator", "oidc")
