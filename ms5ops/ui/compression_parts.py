"""The parts of the compression page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import streamlit as st

from ms5ops import units
from ms5ops.figures import compression as figures
from ms5ops.observe import compression_backlog, compression_settings, savings
from ms5ops.observe.absence import absence
from ms5ops.observe.chunks import of_table
from ms5ops.observe.compression import (
    ROWS_PER_SEGMENT_POOR,
    ROWS_PER_SEGMENT_WANTED,
    SAVED_SHARE_WANTED,
    PoorChunk,
    TableCompression,
    describe_rows_per_segment,
    poor_chunks,
    read_live_sizes,
)
from ms5ops.observe.jobs import Job
from ms5ops.observe.overview import reading
from ms5ops.observe.tables import Table, short_name
from ms5ops.ui.compression_columns import CAUSES, LIVE, POOR, RATIOS, RUNS, SAVINGS, SEGMENTS, SETTINGS, STATES, WAITING
from ms5ops.ui.links import page_link
from ms5ops.ui.messages import plain
from ms5ops.ui.panels import chart_panel, empty_panel
from ms5ops.ui.readings import READ_TTL_S, Readings, section
from ms5ops.ui.shell import missing_next_step
from ms5ops.ui.tables import Column, show_table
from ms5ops.ui.verdicts import show_verdict

TABS = ("By table", "Over time", "Waiting", "Settings", "Poor chunks", "Live sizes")
LIVE_SAMPLE = 20

FROZEN = (
    "TimescaleDB writes down a chunk's size before and after at the moment it compresses it, and never again: rows "
    "that are added, changed or recompressed later do not alter these figures. The tab Live sizes sets beside them "
    "what a sample of chunks takes now."
)
ORIGIN = "Source: the sizes that TimescaleDB recorded when it compressed each chunk (hypertable_compression_stats)."


@dataclass(frozen=True)
class Parts:
    """The readings that the page draws on, all there."""

    page: Readings
    tables: tuple[Table, ...]
    compression: tuple[TableCompression, ...]
    chunks: pd.DataFrame
    jobs: tuple[Job, ...]

    @property
    def schema(self) -> str:
        """The environment's own schema, which needs no mention."""
        return self.page.server.schema

    def of(self, table: Table) -> TableCompression:
        """The record of a chunked table."""
        return next(one for one in self.compression if one.table == table.qualified)


def read(page: Readings) -> Parts | None:
    """What the page needs; where something is missing its error stands on the page."""
    overview = page.overview
    compression = section(overview.compression, "compression")
    if compression is None:
        return None
    tables, chunks = section(overview.tables, "the tables"), section(overview.chunks, "the chunks")
    jobs = section(overview.jobs, "the jobs")
    if tables is None or chunks is None:
        return None
    return Parts(page, tables, compression, chunks, jobs or ())


def headline(parts: Parts) -> None:
    """The verdict and the figures that a manager asks for."""
    show_verdict(savings.verdict(parts.tables, parts.compression))
    whole = savings.savings(parts.compression)
    if not whole.enabled and not whole.compressed_chunks:
        return
    with st.container(horizontal=True, key="key_figures"):
        st.metric(
            "Saved by compression",
            savings.saved_text(whole.saved_share),
            f"over {units.percent_text(SAVED_SHARE_WANTED)} asked for",
            delta_color="off",
            delta_arrow="off",
            border=True,
            help=f"One minus size after over size before, over all compressed chunks. Over "
            f"{units.percent_text(SAVED_SHARE_WANTED)} is asked for. {ORIGIN}",
        )
        st.metric(
            "Ratio",
            units.ratio_text(whole.ratio),
            "4x to 10x is usual",
            delta_color="off",
            delta_arrow="off",
            border=True,
            help=f"Size before over size after: 4.0x means a quarter. {ORIGIN}",
        )
        st.metric(
            "Compressed history",
            units.bytes_text(whole.after_bytes),
            f"{units.bytes_text(whole.before_bytes)} before",
            delta_color="off",
            delta_arrow="off",
            border=True,
            help="What all compressed chunks took after and before compression.",
        )
        st.metric(
            "Compressed chunks",
            units.count_text(whole.compressed_chunks),
            f"of {units.count_text(whole.chunks)}",
            delta_color="off",
            delta_arrow="off",
            border=True,
            help="Over all hypertables and continuous aggregates. Chunks younger than a table's compress after are "
            "left uncompressed on purpose.",
        )
        st.metric(
            "Waiting",
            units.count_text(whole.backlog_chunks),
            f"{units.count_text(whole.late_chunks)} late"
            if whole.late_chunks
            else (units.bytes_text(whole.backlog_bytes) if whole.backlog_chunks else "none late"),
            delta_color="red" if whole.late_chunks else "off",
            delta_arrow="off",
            border=True,
            help="Chunks past their table's compress after that are not compressed, or have new rows beside. Late: the "
            "last run should have compressed them.",
        )


def missing(parts: Parts) -> bool:
    """Say what is missing where nothing can be compressed; True where there is no more to show."""
    whole = savings.savings(parts.compression)
    if whole.enabled or whole.compressed_chunks:
        return False
    frame = savings.table_savings(parts.tables, parts.compression, parts.schema)
    if whole.tables:
        empty_panel(
            "Compression is switched off",
            "Every chunk stays at full size for ever, so storage grows as fast as data arrive. How much would be saved "
            "cannot be told before chunks have been compressed; 75 to 90 % is usual for telemetry.",
            missing_next_step(parts.page),
        )
        _settings_table(parts, "What the policy set would set")
    elif any(table.kind == "plain table" for table in parts.tables):
        empty_panel(
            "Plain tables cannot be compressed",
            "Compression works on the chunks of hypertables, and these are plain tables: all rows stay at full size. "
            "How much would be saved cannot be told before; 75 to 90 % is usual for telemetry.",
            missing_next_step(parts.page),
        )
        st.subheader("The tables as they are", anchor=False)
        show_table(
            frame,
            [
                Column("table", "Table"),
                Column("size_bytes", "Size", "bytes", "With indexes and toast, as it is now"),
                Column("verdict", "State"),
            ],
            key="uncompressed_tables",
        )
    else:
        none = absence(parts.tables)
        empty_panel(
            "No tables",
            plain(none.text) if none else "No table of the policy set is switched on, and there is no hypertable.",
            missing_next_step(parts.page),
        )
    return True


def tabs(parts: Parts) -> None:
    """The details; only the open tab is drawn."""
    opened = st.tabs(TABS, on_change="rerun", key="compression_tab")
    drawers = (_by_table, _over_time, _waiting, _settings, _poor, _live)
    for tab, draw in zip(opened, drawers, strict=True):
        if tab.open:
            with tab:
                draw(parts)


def _by_table(parts: Parts) -> None:
    frame = savings.table_savings(parts.tables, parts.compression, parts.schema)
    if frame["saved_share"].notna().any():
        with st.grid(columns=2, min_column_width=400, key="savings_charts"):
            chart_panel(
                "Saved share by table",
                f"Of compressed chunks only, against the {units.percent_text(SAVED_SHARE_WANTED)} asked for.",
                figures.saved_shares(frame),
                frame,
                SAVINGS,
                key="saved_share",
                explain="One minus after over before. A negative share means that the chunks have grown: a "
                f"compressed chunk has fixed pages of its own, which outweigh few rows. {ORIGIN}",
            )
            chart_panel(
                "Size before and after",
                "The same chunks, uncompressed and compressed.",
                figures.before_and_after(frame),
                frame,
                SAVINGS,
                key="before_after",
                explain=f"Heap, indexes and toast. {ORIGIN}",
            )
    else:
        empty_panel(
            "Nothing is compressed yet",
            "No chunk has passed its table's compress after, or no run has come yet.",
            "The tab Waiting says what is due, and when the next run comes.",
        )
    st.caption(f":material/info: {FROZEN}")
    show_table(frame, SAVINGS, key="savings")


def _over_time(parts: Parts) -> None:
    table = _pick(parts, "over_time")
    if table is None:
        return
    ratios = savings.ratios_over_time(of_table(parts.chunks, table))
    if ratios.empty:
        empty_panel(
            "No time to lay the chunks out on",
            "This table's time column holds whole numbers, so that its chunks have no place on a calendar.",
            "The tab Poor chunks lists them one by one.",
        )
        return
    span = str(ratios["span"].iloc[0])
    each = {"chunk": "One point per chunk", "day": "One point per day (too many chunks to draw each)",
            "week": "One point per week (too many chunks to draw each)"}[span]  # fmt: skip
    name = plain(table.name)
    chart_panel(
        f"Saved share of {name} over time",
        f"{each}, by the time its rows cover; against the {units.percent_text(SAVED_SHARE_WANTED)} asked for.",
        figures.shares_over_time(ratios),
        ratios,
        RATIOS,
        key="share_over_time",
        explain="A fall means that the data, the number of rows per chunk or the settings have changed: settings "
        f"reach chunks compressed afterwards only. {ORIGIN}",
    )
    chart_panel(
        f"Size of {name} before and after, over time",
        f"{each}: what its rows took uncompressed, and what they take compressed.",
        figures.sizes_over_time(ratios),
        ratios,
        RATIOS,
        key="size_over_time",
        explain=ORIGIN,
    )


def _waiting(parts: Parts) -> None:
    states = compression_backlog.chunk_states(parts.chunks, parts.tables, parts.jobs, parts.page.read_at, parts.schema)
    totals = compression_backlog.state_totals(states)
    waits = compression_backlog.oldest_wait(states, parts.page.read_at)
    st.markdown(
        f"**The longest waiting chunk has been due for {units.interval_text(waits)}.**"
        if waits
        else "**Nothing waits:** every chunk past its table's compress after is compressed."
    )
    chart_panel(
        "How far compression has come",
        "Chunks of each table by state, now.",
        figures.chunk_states(totals),
        totals,
        STATES,
        key="chunk_states",
        explain="Due: the chunk's end lies further back than the policy's compress after, and it is uncompressed or "
        "has new rows beside. Late: it was due before the last run, which left it as it is. A "
        "run that converts only some chunks still counts as a success, so this is counted from the chunks themselves.",
    )
    runs = compression_backlog.next_runs(parts.compression, parts.jobs, parts.schema)
    if len(runs):
        show_table(runs, RUNS, key="compression_backlog")
    chunks = compression_backlog.waiting_chunks(states)
    if len(chunks):
        st.subheader("Chunks that wait", anchor=False)
        show_table(chunks, WAITING, key="waiting_chunks")
        st.markdown("See on Jobs whether the run fails, is paused or ends at its max runtime.")
        page_link("jobs")


def _settings(parts: Parts) -> None:
    _settings_table(parts, "Settings beside the policy set's")
    segments = compression_settings.segment_rows(parts.compression, parts.schema)
    if segments["rows_per_segment"].notna().any():
        chart_panel(
            "Rows per segment and chunk",
            f"Over {ROWS_PER_SEGMENT_WANTED} compress well, under {ROWS_PER_SEGMENT_POOR} badly. Filled marks are "
            "measured, open ones estimated.",
            figures.rows_per_segment(segments),
            segments,
            SEGMENTS,
            key="rows_per_segment",
            explain="Rows that share one segment by value within one chunk: they are packed together, up to 1,000 at a "
            "time. Measured from compressed chunks (rows over batches, where batches are not full); else estimated "
            "from the planner's statistics. The limits are TimescaleDB's rule of thumb.",
        )
    said = {one.table: describe_rows_per_segment(one) for one in parts.compression if one.enabled}
    st.markdown(
        "\n".join(
            f"- **{plain(short_name(table, parts.schema))}**: {plain(text)}" for table, text in said.items() if text
        )
    )


def _settings_table(parts: Parts, title: str) -> None:
    frame = compression_settings.settings_beside_plan(
        parts.tables, parts.compression, parts.schema, parts.page.server.version
    )
    if frame.empty:
        return
    st.subheader(title, anchor=False)
    st.caption(
        "A change of segment by or order by reaches chunks compressed afterwards only. "
        "Source: timescaledb_information.compression_settings and jobs; the policy set in force."
    )
    show_table(frame, SETTINGS, key="compression_settings")


def _poor(parts: Parts) -> None:
    table = _pick(parts, "poor")
    if table is None:
        return
    poor = _poor_chunks(parts.page.source, parts.page.read_at, table, parts)
    name = plain(table.name)
    if not poor:
        st.markdown(
            f"**Every compressed chunk of {name} saves {units.percent_text(SAVED_SHARE_WANTED)} or more**, and none "
            "has new rows beside."
        )
        return
    totals = savings.cause_totals(poor)
    chart_panel(
        f"Why chunks of {name} save too little",
        f"{units.count_text(len(poor))} of {units.count_text(parts.of(table).compressed_chunks)} compressed chunks "
        f"save less than {units.percent_text(SAVED_SHARE_WANTED)}, or have new rows beside.",
        figures.causes(totals),
        totals,
        CAUSES,
        key="poor_causes",
        explain="The first cause that fits, in this order: a tiny chunk (under 1 MB before), fewer than "
        f"{ROWS_PER_SEGMENT_WANTED} rows per batch, no segment by, else the values themselves.",
    )
    for row in totals.to_dict("records"):
        st.markdown(f"- **{str(row['cause']).capitalize()}**: {row['remedy']}")
    frame = savings.poor_chunk_frame(poor)
    if len(poor) > len(frame):
        st.caption(f"The newest {units.count_text(len(frame))} are listed.")
    show_table(frame, POOR, key="poor_chunks")


def _live(parts: Parts) -> None:
    st.markdown(
        "The sizes elsewhere on this page are from the moment each chunk was compressed. Here a sample of what the "
        f"chunks take **now**: the newest {LIVE_SAMPLE} compressed ones of a table, read from the server on demand."
    )
    table = _pick(parts, "live")
    if table is None:
        return
    found = section(
        reading(lambda: _live_sizes(parts.page.source, parts.page.read_at, table, parts.page)), "the live sizes"
    )
    if found is None:
        return
    if found.empty:
        empty_panel("No live sizes", "The server names no compressed chunks of this table.", "Read again in a while.")
        return
    live = savings.live_sizes(found)
    chart_panel(
        f"Stored and live size of {plain(table.name)}",
        live.text,
        figures.live_beside_stored(live.frame),
        live.frame,
        LIVE,
        key="live_sizes",
        explain="Live: pg_total_relation_size of the compressed relation. More than stored: rows were added or "
        "changed, or the relation is bloated. Less: it was recompressed.",
    )


@st.cache_resource(ttl=READ_TTL_S, show_spinner=False, max_entries=32)
def _poor_chunks(source: str, read_at: datetime, table: Table, _parts: Parts) -> list[PoorChunk]:
    """Kept by database, time of reading and table: 10,000 chunks take a quarter of a second."""
    return poor_chunks(of_table(_parts.chunks, table), _parts.of(table))


@st.cache_data(ttl=READ_TTL_S, show_spinner="Reading live sizes", max_entries=32)
def _live_sizes(source: str, read_at: datetime, table: Table, _page: Readings) -> pd.DataFrame:
    """Kept by database, time of reading and table: "Read again" reads the live sizes anew, too."""
    return read_live_sizes(_page.server, table, LIVE_SAMPLE)


def _pick(parts: Parts, key: str) -> Table | None:
    """The table that a tab is about: one with compressed chunks."""
    choice: Sequence[Table] = savings.compressed_tables(parts.tables, parts.compression)
    if not choice:
        empty_panel(
            "Nothing is compressed yet",
            "There is no compressed chunk to look at.",
            "The tab Waiting says what is due, and when the next run comes.",
        )
        return None
    names = {table.qualified: table for table in choice}
    picked = st.selectbox(
        "Table",
        list(names),
        format_func=lambda name: short_name(name, parts.schema),
        key=f"{key}_table_choice",
        width=420,
    )
    return names[picked]
