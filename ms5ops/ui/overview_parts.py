"""The parts of the overview page."""

from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

from ms5ops import units
from ms5ops.errors import HistoryError
from ms5ops.observe.absence import of_this_database
from ms5ops.observe.finding import counted
from ms5ops.observe.health import problems as grave
from ms5ops.observe.health import worst
from ms5ops.observe.tables import short_name
from ms5ops.observe.totals import totals
from ms5ops.snapshots import Snapshot, changes, snapshot_of, stored_snapshot
from ms5ops.ui.findings import show_finding
from ms5ops.ui.messages import ICONS, show_error
from ms5ops.ui.readings import READ_TTL_S, Readings, history, section
from ms5ops.ui.tables import Column, show_table

SPANS = {"the last snapshot": timedelta(0), "a day ago": timedelta(days=1), "a week ago": timedelta(days=7)}

TABLE_COLUMNS = [
    Column("table", "Table"),
    Column("size_bytes", "Size", "bytes", "With chunks, indexes and toast"),
    Column("uncompressed_bytes", "Uncompressed", "bytes", "What it would take had nothing been compressed"),
    Column("rows", "Rows (about)", "count", "From the planner's statistics, not counted"),
    Column("compressed", "Compressed chunks", "percent"),
    Column("chunks", "Chunks", "count"),
    Column("kind", "Kind", about="A plain table is not managed by TimescaleDB: no chunks, compression or retention"),
]


def verdict(page: Readings) -> None:
    """One line: how things are, and how many findings there are of which gravity."""
    gravest = worst(page.findings)
    counts = {one: sum(found.severity == one for found in page.findings) for one in ("critical", "warning")}
    if gravest == "ok":
        text = "All is well: nothing needs attention."
    else:
        many = {"critical": "critical findings", "warning": "warnings"}
        one = {"critical": "critical finding", "warning": "warning"}
        parts = [counted(count, one[word], many[word]) for word, count in counts.items() if count]
        text = f"Needs attention: {' and '.join(parts)}."
    {"critical": st.error, "warning": st.warning}.get(gravest, st.success)(f"**{text}**", icon=ICONS[gravest])


def key_figures(page: Readings) -> None:
    """The totals that a manager asks for, each with what it means."""
    found = totals(page.overview)
    with st.grid(columns=5, min_column_width=150, key="key_figures"):
        st.metric(
            "On disk",
            units.bytes_text(found.stored_bytes),
            border=True,
            help="The tables and summaries below with their chunks and indexes. The whole database, with other "
            f"tables and internal data, takes {units.bytes_text(found.database_bytes)}"
            + ("." if found.database_is_exact else " (from page counts, up to 30 % low)."),
        )
        st.metric(
            "Rows stored",
            units.short_count_text(found.rows),
            border=True,
            help="Rows of the tables below, from the planner's statistics; aggregates are not counted.",
        )
        st.metric(
            "Space saved",
            units.percent_text(found.saved_share) if found.compressed_chunks else "none yet",
            border=True,
            help="One minus stored over uncompressed bytes, over all tables and aggregates. Data younger than the "
            "compression policy's age are still uncompressed. Of what is compressed over 70 % is asked for.",
        )
        st.metric(
            "Jobs in trouble",
            units.MISSING
            if found.jobs is None
            else f"{found.jobs_in_trouble} of {found.jobs}"
            if found.jobs
            else "no jobs",
            border=True,
            help="Jobs that fail, or that should have started more than 5 minutes ago.",
        )
        st.metric(
            "Fresh summaries",
            units.MISSING
            if found.aggregates is None
            else "none yet"
            if not found.aggregates
            else f"{found.aggregates_on_time} of {found.aggregates_judged}"
            if found.aggregates_judged
            else units.MISSING,
            border=True,
            help="Continuous aggregates that are no further behind their source than their refresh policy promises; "
            "those that promise nothing, or cannot be judged, are not counted.",
        )


def problems(page: Readings) -> None:
    """The findings that need someone, each with what to do and the page that explains it."""
    found = grave(page.findings)
    if not found:
        return
    st.subheader("What needs attention", anchor=False)
    for finding in found:
        show_finding(finding)


def fine(page: Readings) -> None:
    """Notes, and what was checked and found right."""
    rest = [one for one in page.findings if one.severity in ("info", "nothing", "ok")]
    if rest:
        with st.expander(f"Notes and what is fine ({len(rest)})", icon=ICONS["ok"]):
            for finding in rest:
                show_finding(finding)


def tables(page: Readings) -> None:
    """All tables in one short list."""
    found = section(page.overview.tables, "the tables")
    if not found:
        return
    st.subheader("What is stored", anchor=False)
    frame = pd.DataFrame(
        [
            {
                "table": short_name(one.qualified, page.server.schema),
                "kind": one.kind,
                "rows": one.rows,
                "size_bytes": one.size_bytes,
                "uncompressed_bytes": one.uncompressed_bytes,
                "chunks": one.chunks if one.is_chunked else None,
                "compressed": one.compressed_share,
            }
            for one in of_this_database(found)
        ]
    )
    show_table(frame, TABLE_COLUMNS, key="tables")


def changed_since(page: Readings) -> None:
    """Differences from a stored snapshot, with the choice of how far back."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("What has changed since", anchor=False, width="content")
        chosen = st.segmented_control(
            "Since", list(SPANS), default="the last snapshot", required=True, label_visibility="collapsed", key="since"
        )
    try:
        before = _snapshot_before(page.source, chosen or "the last snapshot", page.read_at)
    except HistoryError as error:
        show_error(error, "the history")
        return
    if before is None:
        st.markdown(
            ":gray[No snapshot of this database is that old.] The running console stores one every few minutes; "
            "`python -m ms5ops collect` stores one now."
        )
        return
    found = changes(before, snapshot_of(page.overview))
    kind = "replayed snapshot" if before.origin == "replayed" else "snapshot"
    st.caption(f"Compared with the {kind} of {units.instant_text(before.taken_at)}.")
    if not found:
        st.markdown("Nothing that counts: no table grew or shrank by more than 1 %, no job or aggregate changed.")
        return
    frame = pd.DataFrame(
        [(one.subject, one.before, one.after, "for the worse" if one.is_worse else "") for one in found],
        columns=["subject", "before", "after", "direction"],
    )
    show_table(
        frame,
        [
            Column("subject", "What"),
            Column("before", "Then"),
            Column("after", "Now"),
            Column("direction", "Judged"),
        ],
        key="changes",
    )


@st.cache_data(ttl=READ_TTL_S, show_spinner=False, max_entries=32)
def _snapshot_before(source: str, span: str, read_at: datetime) -> Snapshot | None:
    return stored_snapshot(history(), source, read_at - SPANS[span])
