"""Audit log: who did what, with what outcome, and whether the log of it is whole."""

import streamlit as st

from ms5ops.ui import audit_parts as parts
from ms5ops.ui import identity, shell

shell.show_title("Audit log")
st.caption("Sign-ins, refusals, changes of accounts, and whatever was done to a database. Entries are never changed.")
reader = identity.guard("read audit")
if reader is None:
    st.stop()
found = parts.verification(reader)
entries = parts.filtered(reader)
parts.table(entries)
parts.export(entries, found)
