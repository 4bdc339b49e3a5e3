"""How many alerts are open, in the side bar of every page; nothing where none is."""

import logging

import streamlit as st

from ms5ops import paths
from ms5ops.alerts.store import alert_store, as_alert, as_mutes, is_muted, written
from ms5ops.config import load_settings
from ms5ops.errors import Ms5opsError
from ms5ops.observe.finding import counted

log = logging.getLogger(__name__)


def show() -> None:
    """A link to the alerts of the chosen environment that nobody has accepted or muted."""
    try:
        name = load_settings().chosen(st.session_state.get("environment"))
        store = alert_store()
        if not store.file.exists():
            return
        with store.reading() as read:
            alerts = [as_alert(row) for row in read("alerts", environment=name)]
            standing = as_mutes(read("mutes", environment=name, now=written(store.now())))
        found = [one for one in alerts if one.status == "open" and not is_muted(standing, name, one.key)]
    except Ms5opsError as error:  # the page says it where the alerts would stand
        log.warning("The open alerts could not be counted: %s", error)
        return
    if not found:
        return
    critical = sum(one.severity == "critical" for one in found)
    label = counted(len(found), "open alert", "open alerts") + (f", {critical} critical" if critical else "")
    colour = "red" if critical else "orange"
    with st.container(key="open_alerts"):
        st.page_link(
            paths.PROJECT / "pages" / "alerts.py",
            label=f":{colour}[**{label}**]",
            icon=":material/notifications_active:",
        )
