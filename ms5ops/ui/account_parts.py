"""The parts of the accounts page: who there is, a new account, and what an admin does with one."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from ms5ops.access import manage
from ms5ops.access.accounts import LOCAL, ONE_TIME_LASTS, Account
from ms5ops.access.roles import IN_WORDS, LEAST, ROLES, Actor, Role, may
from ms5ops.errors import Ms5opsError
from ms5ops.ui.messages import plain, show_failure
from ms5ops.ui.tables import Column, show_table

_DONE = "accounts_done"
_ABOUT_ROLES: dict[Role, str] = {
    "viewer": "reads all pages",
    "dba": "also runs benchmarks and dry runs, edits policies, reads the audit log",
    "operator": "also applies, rolls back and approves",
    "admin": "also manages accounts and settings",
}


def add(actor: Actor) -> None:
    """The form for a new account."""
    with st.form("add_account", clear_on_submit=True, border=False):
        name = st.text_input("Name", max_chars=64, help="a-z, 0-9 and . _ @ + -; also an e-mail address.")
        role = st.selectbox("Role", ROLES, format_func=_role_text)
        if st.form_submit_button("Add account", icon=":material/person_add:", type="primary"):
            _with_password(name, lambda: manage.add_account(actor, name, role))


def change(actor: Actor, accounts: list[Account]) -> None:
    """One account to choose, and what can be done with it."""
    by_text = {_account_text(one): one for one in accounts}
    chosen = by_text.get(st.selectbox("Account", list(by_text), key="account") or "")
    if chosen is None:
        return
    role = _wanted_role(chosen)
    with st.container(horizontal=True):
        is_role_wanted = chosen.provider == LOCAL and st.button(
            "Save role", icon=":material/save:", disabled=role == chosen.role
        )
        is_toggled = st.button(
            "Enable" if chosen.is_disabled else "Disable",
            icon=":material/lock_open:" if chosen.is_disabled else ":material/block:",
            help="A disabled account is signed out everywhere, at once.",
        )
        is_reset = chosen.provider == LOCAL and st.button(
            "Reset password",
            icon=":material/key:",
            help="A new one-time password; the account is signed out everywhere.",
        )
    if is_role_wanted and role is not None:
        _told(lambda: manage.set_role(actor, chosen.name, role), f"{chosen.name} has the role {role} from now on.")
    if is_toggled:
        _told(
            lambda: manage.set_disabled(actor, chosen.name, not chosen.is_disabled, chosen.provider),
            f"{chosen.name} may sign in again." if chosen.is_disabled else f"{chosen.name} is disabled.",
        )
    if is_reset:
        _with_password(chosen.name, lambda: manage.reset_account(actor, chosen.name))
    if done := st.session_state.pop(_DONE, None):
        st.success(plain(done), icon=":material/check:")


def table(actor: Actor) -> None:
    """All accounts, as they stand now."""
    frame = pd.DataFrame(
        [
            {
                "name": one.name,
                "role": one.role or "none",
                "state": one.state,
                "provider": "password" if one.provider == LOCAL else "identity provider",
                "last_sign_in": one.last_sign_in,
                "created_at": one.created_at,
            }
            for one in manage.list_accounts(actor)
        ],
        columns=["name", "role", "state", "provider", "last_sign_in", "created_at"],
    )
    for name in ("last_sign_in", "created_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    show_table(
        frame,
        [
            Column("name", "Name"),
            Column("role", "Role"),
            Column("state", "State"),
            Column("provider", "Signs in by"),
            Column("last_sign_in", "Last sign-in (UTC)", "instant"),
            Column("created_at", "Since (UTC)", "instant"),
        ],
        key="accounts",
    )


def roles() -> None:
    """What each role may do."""
    frame = pd.DataFrame(
        {"action": IN_WORDS[action].capitalize(), **{role: may(Actor("", role), action) for role in ROLES}}
        for action in LEAST
    )
    show_table(
        frame,
        [
            Column("action", "May"),
            *(Column(role, "DBA" if role == "dba" else role.capitalize(), "yes/no") for role in ROLES),
        ],
        key="roles",
        height=35 * (len(frame) + 1) + 3,  # all of it: a table that scrolls hides what an admin may
    )


def _wanted_role(chosen: Account) -> Role | None:
    if chosen.provider != LOCAL:
        st.caption("This person's role comes from their groups at the identity provider.")
        return None
    present = chosen.role or "viewer"
    return st.selectbox("Role", ROLES, index=ROLES.index(present), format_func=_role_text, key=f"role_of_{chosen.name}")


def _account_text(account: Account) -> str:
    return account.name if account.provider == LOCAL else f"{account.name} (identity provider)"


def _role_text(role: Role) -> str:
    return f"{role}: {_ABOUT_ROLES[role]}"


def _with_password(name: str, work: Callable[[], str]) -> None:
    """The one-time password stands in this run's answer only: it is not kept in the session."""
    try:
        password = work()
    except Ms5opsError as error:
        show_failure(error)
        return
    st.success(
        f"One-time password of **{plain(name)}**, good for {ONE_TIME_LASTS.days} days. It is shown only now:",
        icon=":material/key:",
    )
    st.code(password, language=None)


def _told(work: Callable[[], None], done: str) -> None:
    """Do it and draw the page anew: its buttons say what can be done with the account as it is now."""
    try:
        work()
    except Ms5opsError as error:
        show_failure(error)
        return
    st.session_state[_DONE] = done
    st.rerun()
