"""Who looks at a page: read anew at each run of the script from the cookie or the token, never from session state."""

import logging
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

import streamlit as st
from streamlit.errors import StreamlitAuthError

from ms5ops.access import oidc, signin
from ms5ops.access.roles import Action, Actor, require
from ms5ops.config import load_settings
from ms5ops.errors import AccountError, Ms5opsError, NotAllowed
from ms5ops.ui import providers
from ms5ops.ui.access_routes import address, session_token
from ms5ops.ui.messages import in_words, plain, show_failure

log = logging.getLogger(__name__)


def actor(*, touch: bool = False) -> Actor | None:
    """Who looks at this page, with the role of this moment; None: nobody who is signed in.

    ``touch`` counts as use of the session. Raises StoreError where the accounts cannot be read. For what is shown: a
    service that does something asks once more (``ms5ops.access.manage.allowed``).
    """
    try:
        return _signed_in(touch=touch)
    except NotAllowed:
        return None


def _signed_in(*, touch: bool = False) -> Actor | None:
    """As ``actor``; NotAllowed says why where the identity provider vouches for somebody who may do nothing here."""
    turned_away = None
    claims = _claims()
    if claims is not None:
        try:
            return oidc.admitted(claims)
        except NotAllowed as refusal:
            turned_away = refusal
    found = signin.actor(_token(), touch=touch) if providers.has_local_accounts() else None
    if found is None and turned_away:
        raise turned_away
    return found


def _claims() -> dict[str, Any] | None:
    """What the provider's token in this browser says, which Streamlit keeps for long after it expired; None: none."""
    return st.user.to_dict() if providers.has_identity_provider() and st.user.is_logged_in else None


def _token() -> str | None:
    return session_token(dict(st.context.cookies))


def guard(action: Action, title: str = "") -> Actor | None:
    """Who may do it here; for all others one sentence and a way to sign in instead of the page, which stops.

    ``title`` heads that where the page has not headed itself yet. None only for reading, where that asks for no
    sign-in (``Settings.sign_in_to_read``).
    """
    try:
        return _required(action)
    except Ms5opsError as error:
        if title:
            st.title(title, anchor=False)
        _refused(error)
    return st.stop()


def _refused(error: Ms5opsError) -> None:
    if isinstance(error, NotAllowed):
        st.warning(in_words(error), icon=":material/lock:")
        _sign_in_link("guard")
    else:
        show_failure(error)


def _required(action: Action) -> Actor | None:
    if action == "read" and not load_settings().sign_in_to_read:
        return actor()
    return require(_signed_in(), action)


def may_read() -> bool:
    """Whether the reading pages are open to whoever looks now."""
    try:
        return not load_settings().sign_in_to_read or actor() is not None
    except Ms5opsError:
        return False


def is_signed_in() -> bool:
    """Whether somebody is signed in who may do something; where that cannot be read, nobody is."""
    try:
        return actor() is not None
    except Ms5opsError:
        return False


def show_identity() -> None:
    """The side bar's part: who is signed in and how to sign out, or how to sign in."""
    try:
        found = _signed_in(touch=True)
    except NotAllowed as refusal:
        if may_read():  # or the page is headed by it
            st.caption(in_words(refusal))
        _sign_in_link("sidebar")
        _sign_out_button()
        return
    except Ms5opsError as error:
        st.caption(f"Who is signed in could not be read. {plain(error.happened)} {plain(error.next_step)}")
        return
    if found is None:
        _sign_in_link("sidebar")
        return
    st.caption(f":material/account_circle: **{plain(found.name)}**, {found.role}", width="stretch")
    if found.provider == "oidc":
        _sign_out_button()
    else:
        _links(("Sign out", address("sign-out", here())), ("Password", address("password", here())))


def here() -> str:
    """The path of the page that is shown, with its parameters, to come back to."""
    path = urlsplit(st.context.url or "/").path
    parameters = urlencode(st.query_params.to_dict(), doseq=True)
    return f"{path}?{parameters}" if parameters else path


def _sign_in_link(key: str) -> None:
    if providers.has_identity_provider():
        st.button("Sign in", on_click=_to_provider, icon=":material/login:", key=f"sign_in_{key}")
    if providers.has_local_accounts():
        label = "Sign in with a password" if providers.has_identity_provider() else "Sign in"
        _links((label, address("sign-in", here())))


def _to_provider() -> None:
    try:
        st.login()
    except StreamlitAuthError as error:
        log.warning("Nobody can sign in through the identity provider: %s", error)
        show_failure(
            AccountError(
                "The identity provider is not configured completely, so nobody can sign in through it.",
                "Tell an admin: the console's log says what [auth] in .streamlit/secrets.toml lacks.",
            )
        )


def _sign_out_button() -> None:
    st.button("Sign out", on_click=_out_at_provider, icon=":material/logout:", type="tertiary", key="sign_out")


def _out_at_provider() -> None:
    claims = _claims()
    st.logout()  # first, and whatever becomes of the rest: this browser forgets its token
    try:
        oidc.sign_out(claims or {})
    except Ms5opsError as error:
        log.warning("A sign-out was not recorded: %s", error)


def _links(*links: tuple[str, str]) -> None:
    """Links in this tab: Streamlit's own open another one."""
    style = (
        "display:inline-block;padding:.3rem .8rem;margin-right:.5rem;border:1px solid #8896a3;border-radius:.4rem;"
        "color:inherit;text-decoration:none"
    )
    anchors = "".join(
        f'<a href="{escape(path)}" target="_self" style="{style}">{escape(label)}</a>' for label, path in links
    )
    st.html(f'<div style="font-size:.875rem">{anchors}</div>')
