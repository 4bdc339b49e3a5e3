"""The parts of the health page."""

from collections.abc import Callable
from itertools import groupby

import pandas as pd
import streamlit as st

from ms5ops import units
from ms5ops.errors import FeatureMissing, Ms5opsError
from ms5ops.observe.activity import read_statements
from ms5ops.observe.diagnoses import diagnoses
from ms5ops.observe.health import problems
from ms5ops.observe.routine import routine
from ms5ops.ui.findings import show_diagnosis, show_finding, show_routine_item
from ms5ops.ui.messages import ICONS, in_words, show_error
from ms5ops.ui.panels import empty_panel
from ms5ops.ui.readings import READ_TTL_S, Readings, section
from ms5ops.ui.tables import Column, show_table

HERE = "health"
RHYTHMS = {"daily": "Every day", "weekly": "Every week", "monthly": "Every month"}

SETTING_COLUMNS = [
    Column("name", "Setting"),
    Column("value", "Value"),
    Column("verdict", "Verdict"),
    Column("desired", "Wanted"),
    Column("reach", "A change needs"),
    Column("why", "Why it matters"),
]
SESSION_COLUMNS = [
    Column("pid", "Process", "text"),
    Column("role", "Role"),
    Column("application", "Application"),
    Column("state", "State"),
    Column("waits_for", "Waits for"),
    Column("blocked_by", "Blocked by"),
    Column("transaction", "Transaction open for", about="How long its transaction has been open"),
    Column("query", "Last statement", about="At most 500 characters"),
]
STATEMENT_COLUMNS = [
    Column("statement", "Statement"),
    Column("role", "Role"),
    Column("calls", "Calls", "count"),
    Column("total_ms", "Total (ms)", "count"),
    Column("mean_ms", "Mean (ms)", "count"),
    Column("max_ms", "Longest (ms)", "count"),
    Column("rows", "Rows", "count"),
    Column("cache_hit_share", "From cache", "percent"),
]


def routine_checklist(page: Readings) -> None:
    """The daily, weekly and monthly routine side by side, ticked as far as the readings can tell."""
    items = routine(page.overview, page.findings)
    st.subheader("The routine, checked just now", anchor=False)
    with st.grid(columns="auto", min_column_width=260, key="routine"):
        for rhythm, title in RHYTHMS.items():
            with st.container(border=True):
                st.markdown(f"**{title}**")
                for item in items:
                    if item.rhythm == rhythm:
                        show_routine_item(item, HERE)


def tabs(page: Readings) -> None:
    """The rest, each part drawn when its tab is open."""
    contents: dict[str, Callable[[Readings], None]] = {
        f"Findings ({len(problems(page.findings))})": all_findings,
        "Troubleshooting": troubleshooting,
        "Settings": settings,
        "Sessions": sessions,
        "Costliest statements": statements,
    }
    for tab, show in zip(st.tabs(list(contents), on_change="rerun", key="health_tabs"), contents.values(), strict=True):
        if tab.open:
            with tab:
                show(page)


def all_findings(page: Readings) -> None:
    """Everything that was judged, worst first."""
    for finding in page.findings:
        show_finding(finding, HERE)


def troubleshooting(page: Readings) -> None:
    """The usual causes of the usual troubles, each looked for just now."""
    for topic, group in groupby(diagnoses(page.overview), key=lambda one: one.topic):
        st.subheader(topic, anchor=False)
        for diagnosis in group:
            show_diagnosis(diagnosis)


def settings(page: Readings) -> None:
    """Settings that matter to TimescaleDB, beside what is wanted, with the lines to change them."""
    found = section(page.overview.settings, "the settings")
    if found is None:
        return
    verdicts = {True: "as wanted", False: "off", None: "not judged"}
    frame = pd.DataFrame(
        [
            {
                "name": one.name,
                "value": one.text + (" (a restart is pending)" if one.pending_restart else ""),
                "verdict": verdicts[one.satisfied],
                "desired": one.desired,
                "reach": {"restart": "a restart", "reload": "a reload", "database": "nothing more"}[one.reach],
                "why": one.why,
            }
            for one in found
        ]
    )
    show_table(frame, SETTING_COLUMNS, key="settings")
    remedies = [one.remedy_sql for one in found if one.remedy_sql]
    if remedies:
        st.markdown("**Lines for the administrator** (nothing here is run by this page)")
        st.code("\n".join(remedies), language="sql")


def sessions(page: Readings) -> None:
    """Who is connected, and who waits for whom."""
    activity = section(page.overview.activity, "the sessions")
    if activity is None:
        return
    with st.grid(columns="auto", min_column_width=170, key="session_figures"):
        st.metric("Connections", activity.connections, border=True, help="Client sessions on this database.")
        st.metric("Active", activity.active, border=True, help="Running a statement at this instant.")
        st.metric(
            "Idle in transaction", activity.idle_in_transaction, border=True, help="These hold locks and snapshots."
        )
        st.metric("Blocked", activity.blocked, border=True, help="Waiting for a lock that another session holds.")
    if not activity.sessions:
        empty_panel("Sessions", "No other session is connected.", "Come back when the application is at work.")
        return
    frame = pd.DataFrame(
        [
            {
                "pid": str(one.pid),
                "role": one.role,
                "application": one.application,
                "state": one.state or one.backend_type,
                "waits_for": one.waits_for,
                "blocked_by": ", ".join(map(str, one.blocked_by)),
                "transaction": units.interval_text(page.read_at - one.transaction_started_at)
                if one.transaction_started_at
                else None,
                "query": one.query,
            }
            for one in activity.sessions
        ]
    )
    show_table(frame, SESSION_COLUMNS, key="sessions")


def statements(page: Readings) -> None:
    """The costliest statements since pg_stat_statements was last reset."""
    try:
        frame = _statements(page.source, page.server.role, page)
    except FeatureMissing as error:
        st.info(in_words(error), icon=ICONS["info"])
        return
    except Ms5opsError as error:
        show_error(error, "the costliest statements")
        return
    st.caption("Since pg_stat_statements was last reset; times in milliseconds, costliest in total first.")
    show_table(frame, STATEMENT_COLUMNS, key="statements")


@st.cache_data(ttl=READ_TTL_S, show_spinner="Reading the statements", max_entries=16)
def _statements(source: str, role: str, _page: Readings) -> pd.DataFrame:
    return read_statements(_page.server)
