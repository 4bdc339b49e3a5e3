"""The banner of pages that judge by the policy set, where the database has none of its tables."""

import streamlit as st

from ms5ops.observe.absence import OTHER_TABLES, absence
from ms5ops.ui.links import page_link
from ms5ops.ui.messages import ICONS, plain
from ms5ops.ui.readings import Readings

SAID_THERE = ("Overview", "Health", "Rollout")
"""Pages that say it in a place of their own: as a finding, and as how the rollout stands."""


def show(page: Readings, title: str) -> None:
    """What is there instead, and the way on."""
    found = None if title in SAID_THERE else absence(page.overview.tables.found(()))
    if found is None:
        return
    with st.container(border=True, key="absence"):
        st.markdown(f":orange[{ICONS['warning']}] **{OTHER_TABLES}.** {plain(found.text)} {plain(found.next_step)}")
        page_link("rollout")
