"""The banner of every page: the database no longer is as it was when its last deployment was verified."""

import logging

import streamlit as st

from ms5ops.control import drift
from ms5ops.control.drift import Drift
from ms5ops.control.service import Service
from ms5ops.errors import Ms5opsError
from ms5ops.ui.links import page_link
from ms5ops.ui.messages import ICONS, plain
from ms5ops.ui.readings import Readings
from ms5ops.units import instant_text

log = logging.getLogger(__name__)
TTL_S = 300
SHOWN = 8


def show(page: Readings) -> None:
    """The banner where there is drift. Where that cannot be read, the page goes on without it: nothing is claimed."""
    try:
        service = Service.here()
        number = drift.verified_number(service.store, page.source)
        if number is None or drift.being_changed(service.store, page.connected.name):
            return
        found = _drift(f"{page.connected.name} {page.source} {number} {service.store.file}", page)
    except Ms5opsError as error:
        log.warning("Whether there is drift could not be read: %s", error)
        return
    if found is None or not found.differences:
        return
    with st.container(border=True, key="drift"):
        count = len(found.differences)
        st.markdown(
            f":orange[{ICONS['warning']}] **The database has changed since deployment {found.deployment_number} was "
            f"verified** ({instant_text(found.verified_at)}): {count} difference{'' if count == 1 else 's'}."
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.expander("What differs", type="compact"):
                for line in found.differences[:SHOWN]:
                    st.markdown(f"- {plain(line)}")
                if count > SHOWN:
                    st.caption(f"and {count - SHOWN} more")
            page_link("rollout", "Plan and history")


# In the background, so that no page waits for it; a deployment that ends has another number.
@st.cache_resource(ttl=TTL_S, refresh_mode="background", max_entries=16, show_spinner=False)
def _drift(key: str, _page: Readings) -> Drift | None:
    return Service.here().drift(_page.connected, _page.source)
