"""The line below the head of every page of the sandbox: how far the replay is, or that months were replayed."""

import streamlit as st

from ms5ops.config import SANDBOX
from ms5ops.sandbox import replaying
from ms5ops.ui import readings
from ms5ops.ui.readings import Readings

LOOK_EVERY_S = 1
ABOUT = (
    "Months of factory life are replayed: before Phase 4, Phase 4, and after it. Only the calendar is simulated; every "
    "size and every time is measured on the embedded TimescaleDB. What is stored of it is marked “replayed”."
)


def show(page: Readings) -> None:
    """The line while months are replayed in the sandbox; nothing anywhere else."""
    if page.connected.name == SANDBOX and replaying.status() is not None:
        _line(page)


@st.fragment(run_every=LOOK_EVERY_S)
def _line(page: Readings) -> None:
    found = replaying.status()
    if found is None:
        readings.forget(page)
        st.rerun()  # the page as a whole: there is more to show now
        return
    text = found.text
    st.progress(found.fraction, text=f":material/history: {text[0].upper()}{text[1:]}: {_without_month(found.label)}")
    st.caption(ABOUT)


def _without_month(label: str) -> str:
    return label.rpartition(": ")[2]
