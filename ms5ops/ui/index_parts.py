"""The parts of the indexes page."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from ms5ops import units
from ms5ops.figures import indexes as figures
from ms5ops.observe import index_remedies
from ms5ops.observe import index_review as review
from ms5ops.observe.absence import absence
from ms5ops.observe.indexes import BLOAT_RATIO, IndexReading, duplicates, unused
from ms5ops.observe.locks import LockBudget
from ms5ops.observe.server_checks import LOCKS_WARNING_BELOW
from ms5ops.observe.tables import Table, short_name
from ms5ops.ui.messages import plain, show_error
from ms5ops.ui.panels import chart_panel, empty_panel
from ms5ops.ui.readings import Readings, section
from ms5ops.ui.shell import missing_next_step
from ms5ops.ui.tables import Column, show_table
from ms5ops.ui.verdicts import show_verdict

TABS = ("Use", "Unused", "Incomplete", "Duplicates", "Bloat", "Locks")
ALL = "All tables"


@dataclass(frozen=True)
class Parts:
    """The readings that the page draws on."""

    page: Readings
    reading: IndexReading
    tables: tuple[Table, ...]
    locks: LockBudget | None
    counting: review.Counting

    @property
    def schema(self) -> str:
        """The environment's own schema, which needs no mention."""
        return self.page.server.schema


def read(page: Readings) -> Parts | None:
    """What the page needs; where something is missing its error stands on the page."""
    found = section(page.overview.indexes, "the indexes")
    tables = section(page.overview.tables, "the tables")
    if found is None or tables is None:
        return None
    return Parts(page, found, tables, page.overview.locks.value, review.counting(found, page.read_at))


def headline(parts: Parts) -> None:
    """The verdict and the key figures."""
    wanted = _wanted(parts)
    show_verdict(review.verdict(parts.reading, parts.tables, parts.locks, parts.page.read_at, wanted))
    if not parts.reading.indexes:
        return
    totals = review.index_totals(parts.reading, parts.tables)
    fit = parts.locks.queries_at_once if parts.locks else None
    with st.container(horizontal=True, key="key_figures"):
        st.metric(
            "Serving queries",
            units.count_text(totals.performance),
            wanted.text,
            delta_color="off",
            delta_arrow="off",
            border=True,
            help="Indexes of the policy set's tables that are complete and there for queries alone: primary keys, "
            "other constraints and exact duplicates are not counted; an index that the set does not name is. "
            "That they exist says nothing about their use: see the tab Use.",
        )
        st.metric(
            "All indexes",
            units.count_text(totals.indexes),
            units.bytes_text(totals.size_bytes),
            delta_color="off",
            delta_arrow="off",
            border=True,
            help="One per name, however many chunks it has; sizes are summed over chunks. With primary keys and the "
            "indexes of continuous aggregates. Indexes inside compressed data are not counted.",
        )
        st.metric(
            "Unused so far",
            units.count_text(totals.unused),
            units.bytes_text(totals.unused_bytes),
            delta_color="off",
            delta_arrow="off",
            border=True,
            help=f"Never scanned, and no constraint. {parts.counting.text}",
        )
        st.metric(
            "Incomplete",
            units.count_text(totals.broken),
            "none expected",
            delta_color="off",
            delta_arrow="off",
            border=True,
            help="Invalid, or missing on chunks: the trace of a cancelled build.",
        )
        st.metric(
            "Wide queries at once",
            units.count_text(fit),
            f"at least {LOCKS_WARNING_BELOW} advised",
            delta_color="off",
            delta_arrow="off",
            border=True,
            help="How many queries over all chunks of the widest table fit into the lock table: see the tab Locks.",
        )


def _wanted(parts: Parts) -> review.Wanted:
    return review.wanted_indexes(parts.page.server.policy, parts.reading.indexes, parts.tables)


def missing(parts: Parts) -> bool:
    """Say what is missing where there are no indexes; True where there is no more to show."""
    if parts.reading.indexes:
        return False
    none = absence(parts.tables)
    empty_panel(
        "No indexes",
        plain(none.text) if none else "No table here has an index.",
        plain(none.next_step) if none else missing_next_step(parts.page),
    )
    return True


def tabs(parts: Parts) -> None:
    """The details; only the open tab is drawn."""
    opened = st.tabs(TABS, on_change="rerun", key="index_tab")
    drawers = (_use, _unused, _incomplete, _duplicates, _bloat, _locks)
    for tab, draw in zip(opened, drawers, strict=True):
        if tab.open:
            with tab:
                draw(parts)


def _use(parts: Parts) -> None:
    totals = review.index_totals(parts.reading, parts.tables)
    wanted = _wanted(parts)
    if not wanted.is_met(totals):
        listed = f" Not there: {plain(', '.join(wanted.missing))}." if wanted.missing else ""
        empty_panel(
            f"{totals.performance} of at least {wanted.number} indexes"
            if wanted.any_will_do
            else f"Missing: {len(wanted.missing)} of {wanted.number} indexes",
            "What dashboards ask most (the latest values of one machine, what is out of bounds) has no index of its "
            f"own yet, so the server reads more rows than it shows.{listed}",
            missing_next_step(parts.page),
        )
    usage = review.usage_totals(parts.reading.indexes, parts.schema)
    chart_panel(
        "Size of indexes, by use",
        f"Summed over chunks, by table. {parts.counting.text}",
        figures.size_by_usage(usage),
        _usage_in_words(usage[usage["indexes"] > 0]),
        USAGE,
        key="index_use",
        explain="Categories of v_index_usage: unused 0 scans, low under 100, moderate under 1,000, else high. One "
        "query over ten chunks counts ten scans, and scans of a chunk are gone when retention drops it; an index "
        "built later is counted from then. Source: pg_stat_all_indexes, summed over the chunks' indexes.",
    )
    table = st.selectbox(
        "Table",
        [ALL, *dict.fromkeys(index.table for index in parts.reading.indexes)],
        format_func=lambda name: name if name == ALL else short_name(name, parts.schema),
        key="index_table_choice",
        width=420,
    )
    chosen = parts.reading.indexes if table == ALL else parts.reading.of(table)
    show_table(_usage_in_words(review.index_frame(chosen, parts.schema)), INDEXES, key="indexes")


def _unused(parts: Parts) -> None:
    st.markdown(f"**{plain(parts.counting.text)}**")
    st.caption(
        "An index that only a monthly report needs is unused for most of the month, and a standby counts its own "
        "scans. Drop one only when a usual stretch of work has been counted and nobody knows a use for it."
    )
    idle = unused(parts.reading.indexes)
    if idle:
        st.subheader("Could be dropped", anchor=False)
        show_table(review.index_frame(idle, parts.schema), UNUSED, key="unused_indexes")
        if parts.counting.long_enough:
            with st.expander("SQL to copy", type="compact"):
                st.code(index_remedies.drop_sql(idle), language="sql", wrap_lines=True)
        else:
            st.caption("SQL to drop them is offered once seven days have been counted.")
    else:
        st.markdown("Every index that may be dropped has been used.")
    kept = [one for one in parts.reading.indexes if one.scans == 0 and one not in idle]
    if kept:
        st.subheader("Unused, and needed all the same", anchor=False)
        st.caption(
            "Primary keys and other constraints check every insert without ever counting as a scan: they cannot be "
            "dropped as an index. Indexes of continuous aggregates are TimescaleDB's own."
        )
        show_table(review.index_frame(kept, parts.schema), KEPT, key="kept_indexes")


def _incomplete(parts: Parts) -> None:
    broken = [one for one in parts.reading.indexes if one.is_broken]
    if not broken:
        st.markdown("**No index is incomplete:** each is valid, and there on every chunk that it is meant for.")
        partial = [one for one in parts.reading.indexes if one.missing_chunks]
        for one in partial:
            st.caption(
                f"{plain(one.name)} holds some rows only and is left away from "
                f"{units.count_text(one.missing_chunks)} of {units.count_text(one.chunks)} chunks, which have none of "
                "them: that is on purpose."
            )
        return
    st.markdown(
        "A build that was cancelled or crashed leaves these behind. Queries that need them are slow, and "
        "CREATE INDEX IF NOT EXISTS takes them for finished. `python -m ms5ops apply --phase 4` builds those of "
        "the policy anew; for any other, copy the lines below."
    )
    show_table(review.index_frame(broken, parts.schema), BROKEN, key="incomplete_indexes")
    for one in broken:
        remedy = index_remedies.rebuild_sql(one)
        st.markdown(f"**{plain(one.name)}** on {plain(short_name(one.table, parts.schema))}")
        if remedy:
            st.code(remedy, language="sql", wrap_lines=True)
        else:
            st.caption("A constraint holds it: it can be built again only by dropping and adding the constraint.")


def _duplicates(parts: Parts) -> None:
    groups = duplicates(parts.reading.indexes)
    extra = review.covered(parts.reading.indexes)
    if not groups and not extra:
        st.markdown("**No index repeats another.**")
        return
    if groups:
        st.subheader("The same twice", anchor=False)
        st.caption("Alike but for the name: all but the first of each group only cost space, and time on every insert.")
        for place, (first, *spare) in enumerate(groups, start=1):
            show_table(review.index_frame([first, *spare], parts.schema), REPEATED, key=f"duplicates_{place}")
            _copy(index_remedies.drop_sql(spare))
    if extra:
        st.subheader("Covered by another", anchor=False)
        st.caption(
            "The other index begins with the same key and holds at least the same columns, so that it can answer the "
            "same queries. Watch the use of both before dropping the one that is covered."
        )
        for one in extra:
            st.markdown(
                f"**{plain(one.index.name)}** ({units.bytes_text(one.index.size_bytes)}, "
                f"{review.scans_text(one.index.scans)}) is covered by **{plain(one.by.name)}** "
                f"({units.bytes_text(one.by.size_bytes)}, {review.scans_text(one.by.scans)}), on "
                f"{plain(short_name(one.index.table, parts.schema))}."
            )
            _copy(index_remedies.drop_sql([one.index]))


def _bloat(parts: Parts) -> None:
    st.markdown(
        f"**A hint, not a measurement:** real size over what the rows would need, for B-trees over all rows. "
        f"From {BLOAT_RATIO:.0f}x on, and 10 MB, rebuilding may pay."
    )
    st.caption(
        "The need is reckoned from the number of entries and the average width of the key, at 90 % fill; it leaves "
        "compressed chunks out. Many small chunks look bloated without being so, as each index has pages of its own."
    )
    frame = review.index_frame(parts.reading.indexes, parts.schema).dropna(subset=["bloat_ratio"])
    bloated = [one for one in parts.reading.indexes if one.is_bloated]
    if frame.empty:
        st.markdown(
            "Nothing can be estimated: there are no statistics of these tables yet (run ANALYZE), or this role may not "
            "read them."
        )
        return
    st.markdown(
        f"{units.count_text(len(bloated))} {'index looks' if len(bloated) == 1 else 'indexes look'} bloated."
        if bloated
        else "No index looks bloated."
    )
    show_table(frame.sort_values("bloat_ratio", ascending=False), BLOAT, key="index_bloat")
    for one in bloated[:5]:
        st.markdown(f"**Rebuild {plain(one.name)}** without holding up writers:")
        st.code(index_remedies.reindex_sql(one), language="sql", wrap_lines=True)


def _locks(parts: Parts) -> None:
    if parts.page.overview.locks.error:
        show_error(parts.page.overview.locks.error, "the lock budget")
        return
    budget = parts.locks
    if budget is None or budget.widest is None:
        empty_panel(
            "No table has chunks yet",
            "A query locks every chunk it touches and each index of it. Plain tables have none, so nothing comes near "
            "the limit.",
            missing_next_step(parts.page),
        )
        return
    st.markdown(f"**{plain(review.lock_text(budget, parts.schema))}**")
    frame = review.lock_frame(budget, parts.schema)
    explain = (
        "Locks of one query over all chunks: chunks times (1 + indexes), and two more for each compressed one. Slots: "
        "max_locks_per_transaction times (max_connections + max_prepared_transactions). A query limited to recent time "
        "takes few, as chunks out of range are not touched. The server can go somewhat beyond, while memory lasts; "
        "then queries fail with “out of shared memory”."
    )
    if budget.slots is not None:
        chart_panel(
            "The lock table, filled with the widest query",
            f"How often a query over all chunks of {plain(short_name(budget.widest.table, parts.schema))} fits.",
            figures.lock_table(budget),
            frame,
            LOCKS,
            key="lock_table",
            explain=explain,
        )
        chart_panel(
            "What one query over all chunks takes",
            "By table, in locks and as a share of the lock table.",
            figures.locks_by_table(frame),
            frame,
            LOCKS,
            key="locks_by_table",
            explain=explain,
        )
    else:
        show_table(frame, LOCKS, key="locks")
    for finding in parts.page.findings:
        if finding.key == "locks.budget":
            st.markdown(plain(finding.remedy))
            _copy(finding.remedy_sql)


def _copy(sql: str | None) -> None:
    if sql:
        st.code(sql, language="sql", wrap_lines=True)


def _usage_in_words(frame: pd.DataFrame) -> pd.DataFrame:
    """``LOW USAGE`` as ``Low usage``: the categories of v_index_usage, without their capitals."""
    return frame.assign(usage=frame["usage"].str.capitalize())


TABLE = Column("table", "Table")
NAME = Column("name", "Index")
SIZE = Column("size_bytes", "Size", "bytes", "Summed over chunks")
SCANS = Column("scans", "Scans", "count", "Summed over chunks: one query over ten chunks counts ten")
KEY = Column("key", "Key")
STATE = Column("state", "State")
PURPOSE = Column("purpose", "There for")

USAGE = [
    TABLE,
    Column("usage", "Use", about="Categories of v_index_usage"),
    Column("indexes", "Indexes", "count"),
    SIZE,
    SCANS,
]
INDEXES = [
    NAME,
    TABLE,
    SIZE,
    SCANS,
    Column("usage", "Use", about="0 scans unused, under 100 low, under 1,000 moderate, else high"),
    PURPOSE,
    KEY,
    Column("method", "Method"),
    STATE,
]
UNUSED = [NAME, TABLE, SIZE, KEY, Column("definition", "Definition")]
KEPT = [NAME, TABLE, SIZE, PURPOSE, KEY]
BROKEN = [NAME, TABLE, STATE, Column("chunks", "Chunks", "count"), SIZE, PURPOSE, KEY]
REPEATED = [NAME, TABLE, SIZE, SCANS, PURPOSE, Column("definition", "Definition")]
BLOAT = [
    NAME,
    TABLE,
    SIZE,
    Column("expected_bytes", "Rows would need", "bytes", "An estimate from entries and key width"),
    Column("bloat_ratio", "Ratio", "ratio", "Size over need: a hint"),
    SCANS,
]
LOCKS = [
    TABLE,
    Column("locks", "Locks", "count", "Of one query over all chunks"),
    Column("share", "Of the lock table", "percent"),
    Column("queries_at_once", "Fit at once", "count"),
    Column("chunks", "Chunks", "count"),
    Column("compressed_chunks", "Compressed", "count"),
    Column("indexes", "Indexes", "count"),
]
