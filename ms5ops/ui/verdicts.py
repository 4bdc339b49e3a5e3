"""The verdict at the head of a page."""

import streamlit as st

from ms5ops.observe.verdict import Verdict
from ms5ops.ui.messages import ICONS, plain


def show_verdict(verdict: Verdict) -> None:
    """One coloured line: how things are."""
    box = {"critical": st.error, "warning": st.warning, "info": st.info}.get(verdict.severity, st.success)
    box(f"**{plain(verdict.text)}**", icon=ICONS[verdict.severity])
