"""Findings, diagnoses and routine items as a person reads them."""

import streamlit as st

from ms5ops.observe.diagnoses import Diagnosis
from ms5ops.observe.finding import Finding
from ms5ops.observe.routine import RoutineItem
from ms5ops.ui.links import page_link
from ms5ops.ui.messages import COLOURS, ICONS, WORDS, plain


def show_finding(finding: Finding, here: str = "overview") -> None:
    """One finding: title and detail for a manager, evidence and remedy for a DBA; ``here`` is the page it is on."""
    with st.container(border=finding.severity in ("critical", "warning")):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(WORDS[finding.severity], icon=ICONS[finding.severity], color=COLOURS[finding.severity])  # type: ignore[arg-type]  # the colours are Streamlit's
            st.markdown(f"**{plain(finding.title)}**")
            if finding.page != here:
                page_link(finding.page)
        text = " ".join(plain(part) for part in (finding.detail, finding.remedy) if part)
        if text:
            st.markdown(text)
        if finding.evidence or finding.remedy_sql:
            with st.expander("Evidence" + (" and SQL to copy" if finding.remedy_sql else ""), type="compact"):
                for line in finding.evidence:
                    st.markdown(f"- {plain(line)}")
                if finding.remedy_sql:
                    st.code(finding.remedy_sql, language="sql")


def show_diagnosis(diagnosis: Diagnosis) -> None:
    """One cause of trouble: whether it is at work, the evidence, and the remedy behind it."""
    word, icon, colour = {
        True: ("Found", "error", "red"),
        False: ("Not found", "check_circle", "green"),
        None: ("Cannot tell", "help", "gray"),
    }[diagnosis.found]
    with st.container(border=diagnosis.found is True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(word, icon=f":material/{icon}:", color=colour)  # type: ignore[arg-type]  # as above
            st.markdown(f"**{plain(diagnosis.cause)}**")
        if len(diagnosis.evidence) == 1:
            st.caption(plain(diagnosis.evidence[0]))
        elif diagnosis.evidence:
            st.caption("\n".join(f"- {plain(line)}" for line in diagnosis.evidence))
        with st.expander("What to do", expanded=diagnosis.found is True, type="compact"):
            st.markdown(plain(diagnosis.remedy))
            if diagnosis.remedy_sql:
                st.code(diagnosis.remedy_sql, language="sql")


def show_routine_item(item: RoutineItem, here: str) -> None:
    """One line of the checklist, ticked as far as the readings can tell; ``here`` is the page it is on."""
    icon, colour = {
        "done": ("check_box", "green"),
        "attention": ("priority_high", "orange"),
        "unknown": ("help", "gray"),
        "by hand": ("check_box_outline_blank", "gray"),
    }[item.status]
    st.markdown(f":{colour}[:material/{icon}:] **{plain(item.title)}**")
    st.caption(plain(item.detail))
    if item.status in ("attention", "by hand") and item.page != here:
        page_link(item.page)
