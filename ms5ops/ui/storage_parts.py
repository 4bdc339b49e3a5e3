"""The parts of the storage page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pandas as pd
import streamlit as st

from ms5ops import units
from ms5ops.config import load_settings
from ms5ops.errors import HistoryError
from ms5ops.figures import storage as storage_figures
from ms5ops.observe import storage, storage_words
from ms5ops.observe.absence import absence, of_this_database
from ms5ops.observe.forecast import bytes_per_month, reach, weekly_change
from ms5ops.observe.growth import (
    Outlook,
    TableGrowth,
    monthly_rates,
    outlook,
    settled,
    table_growths,
    total_arrivals,
    total_rows,
)
from ms5ops.observe.overview import Overview
from ms5ops.observe.tables import Table
from ms5ops.observe.totals import totals
from ms5ops.ui import shell
from ms5ops.ui.links import page_link
from ms5ops.ui.messages import plain, show_error
from ms5ops.ui.panels import chart_panel, empty_panel
from ms5ops.ui.readings import READ_TTL_S, Readings, section, stored
from ms5ops.ui.storage_columns import (
    ASSUMED_COLUMNS,
    BAR_COLUMNS,
    FORECAST_COLUMNS,
    GROWTH_COLUMNS,
    ORIGIN_ABOUT,
    RATE_COLUMNS,
    RAW_ABOUT,
    SIZE_ABOUT,
    SUM_COLUMNS,
    TABLE_COLUMNS,
    TREE_COLUMNS,
)
from ms5ops.ui.tables import Column, show_table

HORIZON_DAYS = 3_653
FIRST_DATE_AHEAD = timedelta(days=91)
EVERYTHING = "All tables and aggregates"
MEASURES = {"size_bytes": "As stored", "uncompressed_bytes": "As if uncompressed"}
UNITS = {"MB": 1e6, "GB": 1e9, "TB": 1e12}

NOTHING_COMPRESSED = "Nothing is compressed yet, so that both lines are one."


@dataclass(frozen=True)
class Material:
    """What the parts are made from: the tables that are there, the settled growth frame, and the growth of each.

    ``ahead`` is the forecast of all of them; ``policies_known`` False where the policies could not be read.
    """

    page: Readings
    tables: tuple[Table, ...]
    chunks: pd.DataFrame
    growth: pd.DataFrame
    growths: tuple[TableGrowth, ...]
    ahead: Outlook
    policies_known: bool

    @property
    def any_compressed(self) -> bool:
        """Whether stored and uncompressed differ at all."""
        return any(table.compressed_chunks for table in self.tables)

    @property
    def schema(self) -> str:
        """The schema whose name is left out."""
        return self.page.server.schema


def material(page: Readings) -> Material | None:
    """The page's material; what is missing for good is said in place, and None returned where nothing is left."""
    overview = page.overview
    tables = section(overview.tables, "the tables")
    chunks = section(overview.chunks, "the chunks")
    if tables is None or chunks is None:
        return None
    sized = tuple(table for table in tables if table.size_bytes is not None)
    if not sized:
        none = absence(tables)
        empty_panel(
            "No tables",
            plain(none.text) if none else "No table of the policy set is switched on, and there is no hypertable.",
            plain(none.next_step) if none else shell.missing_next_step(page),
        )
        return None
    section(overview.growth, "the growth over time")
    known = True
    if page.server.edition != "apache":  # which has no policies: nothing went wrong
        compression = section(overview.compression, "the compression policies")
        retention = section(overview.retention, "the retention policies")
        known = compression is not None and retention is not None
    growth, growths, ahead = _reckoned(page.source, page.read_at, overview, sized, chunks)
    return Material(page, sized, chunks, growth, growths, ahead, known)


@st.cache_resource(ttl=2 * READ_TTL_S, max_entries=16, show_spinner=False)
def _reckoned(
    source: str, read_at: datetime, _overview: Overview, _tables: tuple[Table, ...], _chunks: pd.DataFrame
) -> tuple[pd.DataFrame, tuple[TableGrowth, ...], Outlook]:
    """What is derived from one reading, once for all sessions; the first two parameters tell readings apart."""
    raw = _overview.growth.value
    if raw is None:
        return pd.DataFrame(), (), outlook((), HORIZON_DAYS)
    growth = settled(raw, _tables, _chunks, _overview.now)
    growths = table_growths(
        growth,
        _tables,
        _chunks,
        compression=_overview.compression.found(()),
        retention=_overview.retention.found(()),
        now=_overview.now,
    )
    return growth, growths, outlook(growths, HORIZON_DAYS)


def verdict(found: Material) -> None:
    """How storage stands, and the way on where nothing holds it."""
    ahead = found.ahead
    sums = totals(found.page.overview)
    held = any(one.lifecycle != type(one.lifecycle)() for one in found.growths)
    text = plain(storage_words.verdict(sums, found.growths, ahead, policies_known=found.policies_known))
    if held or not found.policies_known:
        st.info(text, icon=":material/database:")
    elif found.page.server.edition == "apache":
        st.warning(f"{text} The Apache edition has no compression and no retention.", icon=":material/trending_up:")
    else:
        st.warning(f"{text} {shell.missing_next_step(found.page)}", icon=":material/trending_up:")


def key_figures(found: Material) -> None:
    """Four numbers, each with where it is from."""
    ahead = found.ahead
    sums, arrivals = totals(found.page.overview), total_arrivals(found.growths)
    change, indexes = weekly_change(total_rows(found.growths)), sum(table.index_bytes or 0 for table in found.tables)
    database = found.page.overview.database_size.value
    whole = (
        f" The whole database takes {units.bytes_text(database.size_bytes)}." if database and database.is_exact else ""
    )
    with st.grid(columns=4, min_column_width=180, key="storage_figures"):
        st.metric(
            "On disk",
            units.bytes_text(sums.stored_bytes),
            delta=f"{units.percent_text(indexes / sums.stored_bytes)} indexes" if sums.stored_bytes else None,
            delta_color="off",
            delta_arrow="off",
            border=True,
            height="stretch",
            help=f"All hypertables, tables of the policy set and aggregates, with chunks, indexes and toast.{whole}",
        )
        st.metric(
            "Saved by compression",
            units.percent_text(sums.saved_share) if sums.compressed_chunks else "nothing yet",
            border=True,
            height="stretch",
            help="One minus stored over uncompressed bytes, over all tables and aggregates. Uncompressed is what "
            "TimescaleDB noted when it compressed each chunk.",
        )
        st.metric(
            "Arrives per month",
            units.bytes_text(bytes_per_month(arrivals)),
            delta=None if change is None else f"rows in a week: {units.change_text(change)}",
            delta_color="off",
            delta_arrow="off" if change is None or abs(change) < 0.005 else "up" if change > 0 else "down",
            border=True,
            height="stretch",
            help="Before compression: the mean of the last whole weeks (four at most) of complete UTC days, times "
            "30.4, by the time that the data are from. Below it: rows of the last seven of these days against the "
            "seven before.",
        )
        st.metric(
            "Expected growth",
            units.bytes_text(ahead.next_month_bytes),
            delta=None if ahead.next_month_bytes is None else "forecast for the next month",
            delta_color="off",
            delta_arrow="off",
            border=True,
            height="stretch",
            help="What the forecast expects the disk to hold more in 30 days, scaled to a month: arrivals less what "
            "compression saves and retention drops by then. What was measured in the past, from snapshot to snapshot, "
            "stands under Measured, and by month on the Scorecard.",
        )


def forecast(found: Material) -> None:
    """How much it will be on a day, and when a size is passed, as the person asks."""
    st.subheader("Forecast", anchor=False)
    asks = st.grid(columns=4, min_column_width=180, key="storage_asks", vertical_alignment="bottom")
    with asks:
        chosen = _scope(found)
    ahead = found.ahead if len(chosen) == len(found.growths) else outlook(chosen, HORIZON_DAYS)
    if ahead.frame.empty:
        empty_panel(
            "No forecast yet",
            "It takes seven complete days of data and, for hypertables, two whole chunks. Days of plain tables are "
            "known only once the server has analysed them.",
            "Come back when more days are there, or have a DBA run ANALYZE on plain tables.",
        )
        return
    now = found.page.read_at
    with asks:
        until = _date(now.date())
        limit = _limit(ahead.stored_bytes)
    answers = [storage_words.at_date(ahead, until)]
    answers += [storage_words.at_size(reach(ahead.frame, limit), ahead, limit)] if limit else []
    st.markdown(f"**{plain(' '.join(answers))}**")
    snapshots = _snapshots(found, [one.table for one in chosen])
    chart_panel(
        f"Size{_of(chosen, found)} until {storage_words.day_text(until)}",
        plain(storage_words.basis(chosen, ahead)),
        storage_figures.forecast_figure(
            ahead.frame,
            until=until,
            now=now,
            stored_bytes=sum(one.size_bytes for one in chosen),
            limit_bytes=limit,
            snapshots=snapshots,
        ),
        storage_words.forecast_table(ahead.frame, until),
        FORECAST_COLUMNS,
        key="storage_forecast",
        explain="Each day's data count in full until they are compressed, then with the share that compressed chunks "
        "of the table were measured to take, and not at all once retention drops them. 90 % interval from the scatter "
        "of the days' arrivals (Student's t).",
    )
    behind = st.expander("What it assumes for each table", type="compact", on_change="rerun", key="storage_assumed")
    if behind.open:
        with behind:
            show_table(storage_words.assumptions(chosen, found.schema), ASSUMED_COLUMNS, key="storage_assumptions")


def growth(found: Material) -> None:
    """By the day that the data are from: per table, and as a rate."""
    if found.growth.empty:
        _no_growth()
        return
    value = _measure() if found.any_compressed else "size_bytes"
    bars, bucket = storage.growth_bars(found.growth, found.growths, found.schema, found.page.read_at)
    estimate = (
        " Days of plain tables are estimated from the planner's statistics up to the last ANALYZE."
        if any(one.is_estimate for one in found.growths)
        else ""
    )
    chart_panel(
        f"Data per {bucket}, {MEASURES[value].lower()}",
        "By the day that the data are from (UTC), not by when they were written. Hatched: not known whole (the"
        f" running day, and a table's first day or long chunk).{estimate}",
        storage_figures.growth_figure(bars, bucket, value),
        bars,
        GROWTH_COLUMNS,
        key="storage_growth",
        explain="From the chunks' time ranges and sizes (query chunks): a chunk over several days is spread evenly "
        "over them. Dropped data are not in it.",
    )
    rates = monthly_rates(total_arrivals(found.growths))
    if len(rates) > 1:
        chart_panel(
            "Arrivals per month, and their trend",
            "Before compression: the mean of seven complete days, as bytes per month."
            + (
                " A step also shows where indexes were added: chunks that were compressed before keep the size that "
                "was noted then."
                if found.any_compressed
                else ""
            ),
            storage_figures.rate_figure(rates),
            rates,
            RATE_COLUMNS,
            key="storage_rate",
            explain="A day's arrivals are the bytes that its chunks would take without compression (query chunks; of "
            "plain tables an estimate, query time_histogram), times 30.44 days, the length of a mean month.",
        )


def cumulated(found: Material) -> None:
    """What the data up to each day take, stored and uncompressed."""
    if found.growth.empty:
        _no_growth()
        return
    frame = storage.cumulated(found.growth)
    chart_panel(
        "All data up to each day: on disk, and without compression",
        ("The space between the lines is what compression saves." if found.any_compressed else NOTHING_COMPRESSED)
        + " Summed over all tables and aggregates by the day that "
        "the data are from (UTC); dropped data are not in it.",
        storage_figures.stored_against_uncompressed({"": frame}, "day", "Data up to (UTC)"),
        frame,
        [Column("day", "Data up to", "instant"), *SUM_COLUMNS],
        key="storage_cumulated",
        explain=RAW_ABOUT + ".",
    )


def measured(found: Material) -> None:
    """What the snapshots say: sizes as they were at the time."""
    sizes = _snapshots(found, None)
    frame = pd.concat([part.assign(origin=origin) for origin, part in sizes.items()]) if sizes else pd.DataFrame()
    if all(len(part) < 2 for part in sizes.values()):
        every = load_settings().console.snapshot_every_minutes
        empty_panel(
            "Too few snapshots",
            f"{'One snapshot' if len(frame) else 'No snapshot'} of this database has been stored; a line needs two.",
            (f"The running console stores one every {every} minutes; " if every else "")
            + "`python -m ms5ops collect` stores one now, from cron too.",
        )
        return
    chart_panel(
        "Measured size over time",
        f"{storage_words.measured_texts(sizes)} All tables and aggregates, by the time of each snapshot (UTC).",
        storage_figures.stored_against_uncompressed(sizes, "taken_at", "Snapshot taken (UTC)"),
        frame,
        [Column("taken_at", "Taken at", "instant"), *SUM_COLUMNS, Column("origin", "Origin", about=ORIGIN_ABOUT)],
        key="storage_snapshots",
        explain="From the console's history (query storage_snapshots): unlike the chunks' time ranges it shows when "
        "space was taken and given back, by backfill, compression and retention.",
    )


def tables(found: Material) -> None:
    """What each table takes."""
    frame = storage.table_sizes(found.tables, found.growths, found.schema)
    chart_panel(
        "Size by table",
        "What each table and aggregate takes, and what compression saves of it"
        + (f"; the {storage_figures.BARS_SHOWN} largest." if len(frame) > storage_figures.BARS_SHOWN else "."),
        storage_figures.tables_figure(frame),
        frame,
        BAR_COLUMNS,
        key="storage_tables",
        explain=f"{SIZE_ABOUT}. {RAW_ABOUT}.",
    )
    show_table(frame, TABLE_COLUMNS, key="storage_all_tables")
    listed = of_this_database(found.page.overview.tables.found(()))
    missing = [table.name for table in listed if table.kind == "missing"]
    if missing:
        st.caption(f"In the policy set, and not there: {plain(', '.join(missing))}.")
    page_link("compression", "Compression, chunk by chunk")
    page_link("indexes", "Indexes, one by one")


def tree(found: Material) -> None:
    """Everything in one picture."""
    frame = storage.size_tree(found.tables, found.chunks, found.schema, found.page.overview.database_size.value)
    chart_panel(
        "What takes the space",
        "Area is size on disk. Green: compressed chunks; blue: rows that are not compressed; violet: their indexes. "
        "Click a part to open it, its head to go back.",
        storage_figures.tree_figure(frame),
        frame,
        TREE_COLUMNS,
        key="storage_tree",
        explain="Chunks of a table are drawn as one. What lies outside these tables is drawn where the size of the "
        "whole database is known exactly.",
    )


def _measure() -> str:
    chosen = st.segmented_control(
        "Bytes",
        list(MEASURES),
        format_func=MEASURES.__getitem__,
        default="size_bytes",
        required=True,
        key="storage_measure",
        label_visibility="collapsed",
    )
    return chosen if chosen in MEASURES else "size_bytes"


def _no_growth() -> None:
    empty_panel(
        "Not known by day",
        "Hypertables are dated by their chunks; plain tables only by the planner's statistics, and the server has not "
        "analysed them yet.",
        "Have a DBA run ANALYZE on the tables, then read again.",
    )


def _scope(found: Material) -> Sequence[TableGrowth]:
    by_name = {storage.shown_name(one.table, found.schema): one for one in found.growths}
    chosen = st.selectbox(
        "Of",
        [EVERYTHING, *by_name],
        key="of",
        bind="query-params",
        help="The forecast of everything, or of one table or aggregate.",
    )
    return [by_name[chosen]] if chosen in by_name else found.growths


def _of(chosen: Sequence[TableGrowth], found: Material) -> str:
    single = len(found.growths) > 1 and len(chosen) == 1
    return f" of {plain(storage.shown_name(chosen[0].table, found.schema))}" if single else ""


def _date(today: date) -> date:
    chosen = st.date_input(
        "On this day",
        value=today + FIRST_DATE_AHEAD,
        min_value=today + timedelta(days=1),
        max_value=today + timedelta(days=HORIZON_DAYS - 2),
        format="YYYY-MM-DD",
        key="until",
        bind="query-params",
        help="The forecast is for the end of this day (UTC).",
    )
    return chosen if isinstance(chosen, date) else today + FIRST_DATE_AHEAD


def _limit(stored_bytes: float) -> float | None:
    first = storage_words.nice_size(stored_bytes)
    first_unit = max((name for name, size in UNITS.items() if size <= first), key=lambda name: UNITS[name])
    number = st.number_input(
        "And when does it pass",
        min_value=0.0,
        max_value=1e6,
        value=first / UNITS[first_unit],
        step=1.0,
        format="%.1f",
        key="size",
        bind="query-params",
        help="A disk's or a quota's size, for example.",
    )
    unit = st.selectbox(
        "Unit",
        list(UNITS),
        index=list(UNITS).index(first_unit),
        key="unit",
        bind="query-params",
        help="1 GB = 1,000 MB",
    )
    return number * UNITS[unit] if number else None


def _snapshots(found: Material, names: Sequence[str] | None) -> dict[str, pd.DataFrame]:
    """``storage.sizes_by_origin``; nothing, and why, where the history cannot be read."""
    try:
        return storage.sizes_by_origin(stored("storage_snapshots", found.page.source), names)
    except HistoryError as error:
        show_error(error, "the history")
        return {}
