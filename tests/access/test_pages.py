"""The pages of accounts and audit log: every role by its address, and a role that is taken away between two clicks."""

import pytest
from streamlit.testing.v1 import AppTest

from ms5ops import paths
from ms5ops.access import accounts, audit, signin
from ms5ops.access.roles import ROLES, Action, Role, may
from ms5ops.access.signin import Place
from ms5ops.access.store import Store
from ms5ops.ui import identity
from tests.access.conftest import PASSWORD, configure, with_account

PAGES: dict[str, Action] = {"accounts": "manage accounts", "audit": "read audit"}


def opened(page: str, token: str | None, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page as the browser with that cookie sees it."""
    monkeypatch.setattr(identity, "session_token", lambda _cookies: token)
    return AppTest.from_file(str(paths.PROJECT / "pages" / f"{page}.py"), default_timeout=30).run()


def signed_in(name: str, role: Role) -> str:
    with_account(name, role)
    return signin.sign_in(name, PASSWORD, Place("192.0.2.7")).token


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("role", [None, *ROLES])
def test_every_role_by_the_pages_address(
    kept: Store, monkeypatch: pytest.MonkeyPatch, page: str, role: Role | None
) -> None:
    with_account("boss", "admin")
    token = signed_in("somebody", role) if role else "forged"
    shown = opened(page, token, monkeypatch)
    assert not shown.exception
    if role and may(accounts.current("somebody", "local"), PAGES[page]):
        assert not shown.warning
        assert shown.dataframe
        return
    (refusal,) = shown.warning
    assert ("has the role" if role else "Nobody is signed in") in refusal.value
    assert not shown.dataframe
    assert not shown.button


def test_an_admin_adds_an_account_and_sees_its_password_once(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened("accounts", signed_in("boss", "admin"), monkeypatch)
    page.text_input[0].input("Maria")
    button = next(one for one in page.button if one.label == "Add account")
    button.click().run()
    (password,) = [one.value for one in page.code]
    assert signin.sign_in("maria", password, Place("192.0.2.8")).account.must_change
    assert not page.run().code, "not in the next run"


def test_what_can_be_done_with_an_account_follows_what_was_done(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened("accounts", signed_in("boss", "admin"), monkeypatch)

    def press(label: str) -> None:
        next(one for one in page.button if one.label == label).click().run()

    page.text_input[0].input("maria")
    press("Add account")
    page.selectbox(key="account").select("maria").run()
    page.selectbox(key="role_of_maria").select("operator").run()
    press("Save role")
    assert page.selectbox(key="account").value == "maria"
    assert [one.value for one in page.success] == ["maria has the role operator from now on."]
    press("Disable")
    assert "Enable" in {one.label for one in page.button}
    assert [one.value for one in page.success] == ["maria is disabled."]
    found = accounts.find("maria")
    assert found is not None
    assert (found.role, found.is_disabled) == ("operator", True)


def test_a_hostile_name_is_refused_and_shown_as_text(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened("accounts", signed_in("boss", "admin"), monkeypatch)
    page.text_input[0].input("<b>[x](y)")
    next(one for one in page.button if one.label == "Add account").click().run()
    (error,) = page.error
    assert "\\<b\\>\\[x\\](y)" in error.value
    assert [one.name for one in accounts.every()] == ["boss"]


def test_a_button_pressed_after_the_role_was_taken_away_does_nothing(
    kept: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_account("other", "admin")
    page = opened("accounts", signed_in("boss", "admin"), monkeypatch)
    page.text_input[0].input("eve")
    accounts.set_role("boss", "dba")
    next(one for one in page.button if one.label == "Add account").click().run()
    assert "has the role dba" in page.warning[0].value
    assert accounts.find("eve") is None


def test_tampering_is_shown_on_the_page(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    token = signed_in("boss", "admin")
    assert "The log is whole" in opened("audit", token, monkeypatch).success[0].value
    (kept.file.parent / "audit.head").unlink()
    assert "head is missing" in opened("audit", token, monkeypatch).error[0].value
    assert audit.entries()[0].action == "sign in"


@pytest.mark.parametrize(
    ("text", "is_asked"),
    [
        ("", False),
        ('[environments.prod]\nhost = "db"\nprotected = true\nread = { user = "r" }\n', True),
        ('[environments.prod]\nhost = "db"\nread = { user = "r" }\n', False),
        ("[access]\nsign_in_to_read = true\n", True),
        (
            "[access]\nsign_in_to_read = false\n"
            '[environments.prod]\nhost = "db"\nprotected = true\nread = { user = "r" }\n',
            False,
        ),
    ],
)
def test_whether_reading_asks_for_a_sign_in(
    kept: Store, monkeypatch: pytest.MonkeyPatch, text: str, is_asked: bool
) -> None:
    configure(kept, text)

    def reading() -> None:
        import streamlit as st

        from ms5ops.ui import identity

        identity.guard("read")
        st.write("the readings")

    for token, sees in ((None, not is_asked), (signed_in("viewer", "viewer"), True)):
        monkeypatch.setattr(identity, "session_token", lambda _cookies, token=token: token)
        page = AppTest.from_function(reading, default_timeout=30).run()
        assert bool(page.markdown) is sees
        assert bool(page.warning) is not sees


@pytest.mark.parametrize("has_session", [False, True])
def test_a_lapsed_token_of_the_provider_does_not_stand_in_the_way_of_a_password(
    kept: Store, monkeypatch: pytest.MonkeyPatch, has_session: bool
) -> None:
    configure(kept, "[access]\nlocal_accounts = true\n")
    lapsed = {"iss": "https://idp.example", "sub": "8f3a", "iat": 0, "exp": 1}
    monkeypatch.setattr(identity, "_claims", lambda: lapsed)
    shown = opened("accounts", signed_in("boss", "admin") if has_session else None, monkeypatch)
    assert bool(shown.dataframe) is has_session
    assert [one.value for one in shown.warning] == (
        [] if has_session else ["**This sign-in at the identity provider has ended.** Sign in again."]
    )
