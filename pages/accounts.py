"""Accounts: who may sign in, as what; for admins."""

import streamlit as st

from ms5ops.access import manage
from ms5ops.ui import account_parts as parts
from ms5ops.ui import identity, shell

shell.show_title("Accounts")
st.caption("Who may sign in to this console, and what they may do. Every change goes to the audit log.")
admin = identity.guard("manage accounts")
if admin is None:
    st.stop()
overview = st.container()
left, right = st.columns(2, gap="large")
with right:
    st.subheader("Add an account", anchor=False)
    parts.add(admin)
with left:  # after the form, so that a new account is offered at once
    st.subheader("Change an account", anchor=False)
    parts.change(admin, manage.list_accounts(admin))
with overview:  # after the forms, so that it shows what they changed
    parts.table(admin)
st.subheader("What each role may do", anchor=False)
parts.roles()
