"""The parts of the aggregates page."""

from collections.abc import Sequence

import streamlit as st

from ms5ops import units
from ms5ops.errors import HistoryError
from ms5ops.figures.aggregate_diagram import diagram_html
from ms5ops.figures.aggregates import freshness_figure, lag_history_figure, window_figure
from ms5ops.observe.aggregates import Aggregate
from ms5ops.observe.finding import counted, short
from ms5ops.observe.freshness import (
    conflicts,
    data_ends,
    freshness_frame,
    freshness_verdict,
    hierarchy,
    lag_history,
    lag_origin,
    missing_aggregates,
    settings_frame,
    summary,
    window_frame,
)
from ms5ops.observe.health import problems
from ms5ops.ui import readings, shell
from ms5ops.ui.findings import show_finding
from ms5ops.ui.messages import ICONS, plain, show_error
from ms5ops.ui.panels import chart_panel, empty_panel, html_panel
from ms5ops.ui.readings import Readings
from ms5ops.ui.tables import Column, show_table
from ms5ops.ui.verdicts import show_verdict

MOST_ROWS = 12
"""Rows of boxes that are drawn at once; beyond that one source table at a time."""

FRESHNESS_COLUMNS = [
    Column("aggregate", "Aggregate"),
    Column("state", "State"),
    Column("words", "In words"),
    Column("lag_s", "Behind its source", "seconds", "Newest row of the source minus the end of the last filled bucket"),
    Column("promised_s", "Promised", "seconds", "end_offset + schedule interval + one bucket"),
    Column("share", "Share of the promise", "percent"),
    Column("behind_now_s", "Behind now", "seconds", "Grows also when no data come in"),
    Column("data_age_s", "Of which no data came in for", "seconds", "Age of the newest row of the table at the bottom"),
    Column("watermark", "Filled up to", "instant"),
    Column(
        "newest_source_at", "Newest in the source", "instant", "For an aggregate over another: how far that is filled"
    ),
]
WINDOW_COLUMNS = [
    Column("aggregate", "Aggregate"),
    Column("window", "Refreshes"),
    Column("source", "Reads"),
    Column("reach_s", "Reaches back", "seconds", "start_offset + schedule interval; empty: without limit"),
    Column("kept_s", "Source is kept", "seconds", "Empty: for ever"),
    Column("own_kept_s", "Aggregate is kept", "seconds", "Empty: for ever"),
    Column("conflict", "Conflict"),
]
SETTING_COLUMNS = [
    Column("aggregate", "Aggregate"),
    Column("source", "Reads"),
    Column("bucket", "Bucket"),
    Column("window", "Refreshes", about="start_offset to end_offset of its policy"),
    Column("every", "How often"),
    Column(
        "reads", "Answers with", about="Real-time adds rows that no refresh has reached yet (materialized_only = false)"
    ),
    Column("kept", "Kept", about="Retention of the aggregate itself; its source has its own"),
    Column("compressed", "Compressed"),
    Column("rows", "Rows (about)", "count", "From the planner's statistics"),
    Column("size_bytes", "Size", "bytes", "With chunks, indexes and toast"),
    Column("chunks", "Chunks", "count"),
    Column("job_id", "Job number", about="job_id of its refresh policy"),
]
LAG_COLUMNS = [
    Column("taken_at", "Snapshot", "instant"),
    Column("aggregate", "Aggregate"),
    Column("lag_s", "Behind its source", "seconds"),
    Column("promised_s", "Promised today", "seconds"),
    Column("share", "Share of the promise", "percent"),
]


def verdict(page: Readings, aggregates: Sequence[Aggregate]) -> None:
    """All summaries in a sentence."""
    show_verdict(freshness_verdict(aggregates, page.read_at))


def key_figures(page: Readings, aggregates: Sequence[Aggregate]) -> None:
    """How many there are, how many keep their promise, how far the slowest is, and what they take."""
    found, missing = summary(aggregates), missing_aggregates(aggregates, page.overview.tables.found(()))
    ends = data_ends(aggregates, page.read_at)
    with st.container(horizontal=True, key="aggregate_figures"):
        st.metric(
            "Summaries",
            units.count_text(len(aggregates)),
            border=True,
            help="Continuous aggregates: tables that TimescaleDB keeps filled with sums, means and extremes per "
            "bucket, so that charts over weeks need not read raw rows. "
            + (f"Planned by the policy set and not there: {plain(', '.join(missing))}." if missing else ""),
        )
        st.metric(
            "On time",
            f"{found.fresh} of {found.judged}" if found.judged else units.MISSING,
            border=True,
            help="As fresh as promised: no further behind their source than end_offset + schedule interval + one "
            "bucket. Those without an active policy promise nothing, and those whose source this role may not "
            "read cannot be judged: neither is counted.",
        )
        st.metric(
            "Promise used",
            units.percent_text(found.worst_share)
            if found.worst_share is None or found.worst_share < 10
            else units.ratio_text(found.worst_share),
            border=True,
            help="How much of the promised lag is in use, by the summary that is closest to breaking it"
            + (f": {plain(found.worst)}, {plain(found.worst_words)}." if found.worst else "."),
        )
        st.metric(
            "Newest data",
            units.ago_text(ends[0].newest, page.read_at) if ends else units.MISSING,
            border=True,
            help="Newest row in the tables that are summarised. "
            + " ".join(f"{plain(short(end.source))}: {units.ago_text(end.newest, page.read_at)}." for end in ends)
            + (" Simulated data end when the sandbox was filled." if page.connected.origin == "simulated" else ""),
        )
        st.metric(
            "Size",
            units.bytes_text(found.size_bytes),
            border=True,
            help=f"Of all aggregates together, with indexes; {units.short_count_text(found.rows)} rows.",
        )


def endangered(aggregates: Sequence[Aggregate]) -> None:
    """The aggregates whose next refresh would erase history, each with why."""
    found = conflicts(aggregates)
    if not found:
        return
    with st.container(border=True, key="endangered"):
        st.markdown(f":red[{ICONS['critical']}] **History in danger**")
        st.markdown("\n".join(f"- **{plain(short(one.aggregate))}**: {plain(why)}." for one, why in found))
        st.markdown(
            "Once old rows have expired, the next refresh deletes their summaries. Shorten the refresh window "
            "(start\\_offset), or keep the source longer; the tab What to do has the details."
        )


def levels(page: Readings, aggregates: Sequence[Aggregate]) -> None:
    """How the aggregates build on each other, with the freshness of each."""
    shown = list(aggregates)
    nodes = hierarchy(shown, page.overview.tables.found(()), page.read_at)
    if max(node.row for node in nodes) >= MOST_ROWS:
        roots = list(dict.fromkeys(one.root for one in aggregates))
        root = st.selectbox("Source table", roots, key="aggregates_root", width=400)
        shown = [one for one in aggregates if one.root == root]
        nodes = hierarchy(shown, page.overview.tables.found(()), page.read_at)
    html_panel(
        "How the summaries build on each other",
        "Each box reads the one that its arrow comes from; its colour tells how fresh it is.",
        diagram_html(nodes),
        freshness_frame(shown, page.read_at),
        FRESHNESS_COLUMNS,
        key="aggregate_levels",
        explain="“Behind” compares the newest row of the source (for an aggregate over another: how far that is "
        "filled) with the end of the last filled bucket, the watermark. The promise is end_offset + schedule "
        "interval + one bucket. Sizes with indexes. Source: TimescaleDB's catalogue.",
    )


def details(page: Readings, aggregates: Sequence[Aggregate]) -> None:
    """Freshness, refresh windows, settings, and lag over time."""
    draws = {
        "Freshness": _freshness,
        "Refresh windows": _windows,
        "Settings": _settings,
        "Lag over time": _history,
        "What to do": _remedies,
    }
    for tab, draw in zip(st.tabs(list(draws), key="aggregates_tabs", on_change="rerun"), draws.values(), strict=True):
        if tab.open:
            with tab:
                draw(page, aggregates)


def nothing_yet(page: Readings) -> None:
    """No aggregates at all: what that costs and how to get them."""
    planned = missing_aggregates((), page.overview.tables.found(()))
    names = plain(", ".join(planned))
    empty_panel(
        "There are no summaries yet",
        "Without continuous aggregates every dashboard reads raw rows: a chart over a month adds up millions of them "
        f"each time it is opened. The policy set plans {f'{len(planned)}: {names}' if planned else 'none'}.",
        shell.missing_next_step(page),
    )


def _freshness(page: Readings, aggregates: Sequence[Aggregate]) -> None:
    frame = freshness_frame(aggregates, page.read_at)
    judged = frame[frame["share"].notna()]
    ends = [end for end in data_ends(aggregates, page.read_at) if end.quiet]
    if ends:
        st.info(
            "No new rows have come in: "
            + ", ".join(f"{plain(short(end.source))} since {units.instant_text(end.newest)}" for end in ends)
            + ". What is behind now only for that reason is not late: summaries are measured against the newest row.",
            icon=ICONS["info"],
        )
    if judged.empty:
        empty_panel(
            "Freshness cannot be compared with a promise",
            "No aggregate has both a refresh policy and data, or this server does not tell how far they are filled.",
            "The tab Settings shows what each is set up to do.",
        )
        return
    chart_panel(
        "How far behind its source each summary is, against what its policy promises",
        f"Read at {page.read_at:%H:%M:%S} UTC; at 100 % the promise is used up",
        freshness_figure(judged),
        frame,
        FRESHNESS_COLUMNS,
        key="aggregate_freshness",
        explain="Newest row of the source minus the watermark, over end_offset + schedule interval + one bucket. A "
        "daily summary is a day behind on purpose: its bucket is filled when the day is over. Aggregates that answer "
        "in real time add the missing rows when they are read.",
    )
    st.caption(
        "Behind now, with the time since the newest row: "
        + "; ".join(
            f"{plain(str(one['aggregate']))} {units.duration_text(one['behind_now_s'])}"
            for one in frame[frame["behind_now_s"].notna()].to_dict("records")
        )
        + "."
    )


def _windows(page: Readings, aggregates: Sequence[Aggregate]) -> None:
    frame = window_frame(aggregates)
    if frame.empty:
        empty_panel(
            "No aggregate has a refresh policy",
            "Nothing fills them by itself, so that they fall behind their source.",
            shell.missing_next_step(page),
        )
        return
    wrong = frame["conflict"].notna().sum()
    chart_panel(
        "How far back each refresh reaches, against how long its source is kept",
        f"{counted(int(wrong), 'summary reaches', 'summaries reach')} past what is kept: their history is in danger"
        if wrong
        else "Every refresh stays within what its source keeps: no history is in danger",
        window_figure(frame),
        frame,
        WINDOW_COLUMNS,
        key="aggregate_windows",
        explain="A refresh computes its window afresh from the source. Where the source has dropped those rows, their "
        "summaries are deleted, too. So start_offset + schedule interval must not exceed the source's retention "
        "(drop_after). Sources: timescaledb_information.jobs.",
    )


def _settings(page: Readings, aggregates: Sequence[Aggregate]) -> None:
    show_table(settings_frame(aggregates, page.overview.tables.found(())), SETTING_COLUMNS, key="aggregate_settings")
    missing = missing_aggregates(aggregates, page.overview.tables.found(()))
    if missing:
        st.markdown(f"Planned by the policy set and not there: {plain(', '.join(missing))}.")


def _history(page: Readings, aggregates: Sequence[Aggregate]) -> None:
    try:
        every = readings.stored("aggregate_snapshots", page.source)
    except HistoryError as error:
        show_error(error, "the history of the summaries")
        return
    origin = lag_origin(every, page.connected.origin)
    lags = lag_history(every[every["origin"] == origin], aggregates)
    if lags["taken_at"].nunique() < 2:
        empty_panel(
            "Lag over time needs at least two snapshots",
            "The running console stores one every few minutes.",
            "`python -m ms5ops collect` stores one now.",
        )
        return
    chart_panel(
        "Lag of each summary over time, as a share of today's promise",
        f"{'Replayed snapshots' if origin == 'replayed' else 'Snapshots'} from "
        f"{units.instant_text(lags['taken_at'].min())} to {units.instant_text(lags['taken_at'].max())}",
        lag_history_figure(lags),
        lags,
        LAG_COLUMNS,
        key="aggregate_lags",
        explain="Lag behind the source as stored at each snapshot by this console, over what the policy promises "
        "today. Where there are many snapshots, the worst of each short time is drawn.",
    )


def _remedies(page: Readings, aggregates: Sequence[Aggregate]) -> None:
    wrong = [one for one in problems(page.findings) if one.key.startswith("aggregates.")]
    for finding in wrong:
        show_finding(finding, "aggregates")
    if not wrong:
        st.markdown(
            f":green[{ICONS['ok']}] Nothing is to be done about {counted(len(aggregates), 'summary', 'summaries')}."
        )
