"""The button for a month's report: choose a month that holds something, and download it as one file, HTML or PDF."""

from datetime import UTC, datetime, timedelta
from shlex import quote

import streamlit as st

from ms5ops.access.roles import Actor
from ms5ops.config import load_settings
from ms5ops.errors import Ms5opsError
from ms5ops.reports import chromium
from ms5ops.reports.month import Month, month_named
from ms5ops.reports.month_reading import read_month, stored_months
from ms5ops.reports.monthly import file_name, monthly_html
from ms5ops.ui import identity
from ms5ops.ui.messages import show_error, show_failure
from ms5ops.ui.readings import READ_TTL_S, Readings, history

_MADE = "monthly_pdf_made"
"""In the session: what the last PDF is of, when it was made, and its bytes."""
_KEPT = timedelta(minutes=10)


def button(page: Readings) -> None:
    """Offer the months that the history knows of this database, the newest first."""
    name = quote(page.connected.name)
    with st.popover("Monthly report", icon=":material/summarize:", help="A month as one file to mail or print."):
        try:
            months = _months(page.source)[::-1]
            reader = identity.actor()
        except Ms5opsError as error:
            show_error(error, "the months")
            return
        if not months:
            st.markdown("**Nothing is stored yet.** A report is made of snapshots and benchmark runs: store the first.")
            st.code(f"python -m ms5ops collect --environment {name}", language="shell", wrap_lines=True)
            return
        chosen = st.selectbox("Month (UTC)", months, format_func=_title, key="report_month") or months[0]
        prints = chromium.find() is not None
        with st.container(horizontal=True):
            st.download_button(
                "Download the report (HTML)",
                data=lambda: _html(page, chosen, reader),
                file_name=file_name(page.connected.name, chosen),
                mime="text/html",
                icon=":material/download:",
                on_click="ignore",
                key="monthly_report",
            )
            failure = _pdf(page, chosen, reader) if prints else None
        if failure:
            show_failure(failure)
        st.caption(
            "Scorecard, storage, compression, jobs, benchmarks against the month before, changes made and alerts. It "
            f"opens without a network{'' if prints else '; print it for a PDF'}. The same as:"
        )
        st.code(f"python -m ms5ops report --month {chosen} --environment {name}", language="shell", wrap_lines=True)


def _pdf(page: Readings, month: str, reader: Actor | None) -> Ms5opsError | None:
    """Made when asked for, since a browser prints it, and then there to be downloaded for a while; why it could not
    be made, where that is so."""
    of, now = (page.source, month, reader), datetime.now(UTC)
    made_of, made_at, made = st.session_state.get(_MADE, (None, now, b""))
    if made_of == of and now - made_at < _KEPT:
        st.download_button(
            "Download the PDF",
            data=made,
            file_name=file_name(page.connected.name, month, "pdf"),
            mime="application/pdf",
            icon=":material/download:",
            on_click="ignore",
            key="monthly_pdf",
        )
        return None
    if st.button("Make a PDF", icon=":material/picture_as_pdf:", key="make_pdf"):
        try:
            with st.spinner("Printing the report"):
                st.session_state[_MADE] = (of, now, chromium.pdf(_html(page, month, reader)))
        except Ms5opsError as error:
            return error
        st.rerun()
    return None


def _html(page: Readings, month: str, reader: Actor | None) -> str:
    wanted = month_named(month, datetime.now(UTC))
    return monthly_html(read_month(load_settings(), page.connected, page.overview, history(), wanted, reader=reader))


@st.cache_data(ttl=READ_TTL_S, show_spinner="Reading the history", max_entries=16)
def _months(source: str) -> tuple[str, ...]:
    return stored_months(history(), source)


def _title(month: str) -> str:
    return Month(month).title
