"""Errors and findings on a page: one sentence on what happened, and the next step."""

import logging

import streamlit as st

from ms5ops.errors import Ms5opsError
from ms5ops.observe.health import Severity

log = logging.getLogger(__name__)

ICONS: dict[Severity, str] = {
    "critical": ":material/error:",
    "warning": ":material/warning:",
    "info": ":material/info:",
    "nothing": ":material/horizontal_rule:",
    "ok": ":material/check_circle:",
}
COLOURS: dict[Severity, str] = {
    "critical": "red", "warning": "orange", "info": "blue", "nothing": "gray", "ok": "green"
}  # fmt: skip
WORDS: dict[Severity, str] = {
    "critical": "Critical", "warning": "Warning", "info": "Note", "nothing": "Not judged", "ok": "Fine"
}  # fmt: skip


def show_error(error: Ms5opsError, what: str) -> None:
    """Say that ``what`` (a noun phrase: "the jobs") could not be read, why, and what to do."""
    st.error(
        f"**{what[:1].upper()}{what[1:]} could not be read.** {plain(error.happened)}\n\n{plain(error.next_step)}",
        icon=ICONS["critical"],
    )


def in_words(error: Ms5opsError) -> str:
    """What happened, emphasised, and the next step, as markdown."""
    return f"**{plain(error.happened)}** {plain(error.next_step)}"


def show_failure(error: Ms5opsError) -> None:
    """Say that what was asked for was not done, why, and what to do."""
    st.error(in_words(error), icon=ICONS["critical"])


def plain(text: str) -> str:
    """Text from elsewhere, so that markdown shows it as it is."""
    for mark in "\\`*_{}[]<>#|$~:":
        text = text.replace(mark, f"\\{mark}")
    return text


def show_defect(error: Exception) -> bool:
    """What a visitor sees of a defect of the console: what to do; the trace goes to the log. Always True: shown."""
    log.error("A page failed", exc_info=error)
    st.error(
        f"**This page has a defect** ({type(error).__name__}). Nothing was changed. The other pages go on; "
        "the console's log holds the details for a report.",
        icon=ICONS["critical"],
    )
    return True
