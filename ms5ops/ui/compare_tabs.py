"""The tabs of the compare page: benchmarks one by one, promises, one of them closely, and the report to share."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from ms5ops import units
from ms5ops.benchmark.compare import Comparison, Side
from ms5ops.benchmark.comparison_summary import interval_text, promise_frame, speed_text, verdict_frame
from ms5ops.benchmark.run_summary import benchmark_title
from ms5ops.figures.benchmark import ecdf_figure
from ms5ops.figures.comparison import forest_figure
from ms5ops.reports.comparison import comparison_html, file_name
from ms5ops.ui.compare_parts import Material
from ms5ops.ui.messages import plain
from ms5ops.ui.panels import chart_panel, empty_panel
from ms5ops.ui.tables import Column, show_table
from ms5ops.ui.trend_parts import month_by_month

VERDICT_ABOUT = (
    "Faster or slower: the change is larger than 5 % and chance does not explain it. Equivalent: the whole interval "
    "lies within 5 % of no change. Inconclusive: neither can be said"
)
INTERVAL_ABOUT = (
    "What chance leaves open. With one run a side it covers the scatter within these two runs and the unrest seen "
    "during them, from four runs in all on that between runs, too"
)
VERDICT_COLUMNS = [
    Column("title", "Benchmark"),
    Column("verdict", "Verdict", about=VERDICT_ABOUT),
    Column("change", "Change", about="How many times faster or slower: the ratio of the samples"),
    Column("interval", "95 % interval", about=INTERVAL_ABOUT),
    Column("before", "Median before"),
    Column("after", "Median after"),
    Column("before_p95", "p95 before", about="95 of 100 samples were at most so slow, or of rates at least so high"),
    Column("after_p95", "p95 after"),
    Column("n", "Samples", about="Before / after"),
    Column("reason", "Why"),
    Column("group", "Group"),
    Column("benchmark", "Name"),
]
NUMBER_COLUMNS = [
    Column("title", "Benchmark"),
    Column("verdict", "Verdict", about=VERDICT_ABOUT),
    Column("before_value", "Median before", "number"),
    Column("after_value", "Median after", "number"),
    Column("unit", "Unit", about="Of the medians"),
    Column("speedup_value", "Times as fast", "number", "Above 1: faster after"),
    Column("low", "Interval from", "number", INTERVAL_ABOUT),
    Column("high", "Interval to", "number", INTERVAL_ABOUT),
    Column("p", "p (corrected)", "number", "Mann and Whitney's test, corrected by Holm for the number of benchmarks"),
    Column("benchmark", "Name"),
]
PROMISE_COLUMNS = [
    Column("title", "What"),
    Column("met", "Verdict"),
    Column(
        "factor",
        "Measured",
        about="How many times better. Of queries: the comparison's estimate, in which every run counts once, so that "
        "it need not be the quotient of the two medians",
    ),
    Column("expected_factor", "Expected", about="How many times better"),
    Column("before", "Measured before"),
    Column("after", "Measured after", about="Of a group of queries: the geometric mean of their medians"),
    Column("expected", "Expected before → after"),
    Column("reason", "Why"),
]


def compared_tabs(compared: Comparison, found: Material) -> None:
    """What changed, what was promised, one benchmark closely, and all runs month by month."""
    drawn: dict[str, Callable[[], None]] = {
        "Before and after": lambda: _forest(compared),
        "What was promised": lambda: _promises(compared),
        "One benchmark": lambda: _one(compared),
        "Month by month": lambda: month_by_month(found.headers, found.deployments, found.names),
    }
    for tab, draw in zip(
        st.tabs(list(drawn), on_change="rerun", key="compare_tab", bind="query-params"), drawn.values(), strict=True
    ):
        if tab.open:
            with tab:
                draw()


def _forest(compared: Comparison) -> None:
    frame = verdict_frame(compared)
    if frame["speedup_value"].notna().any():
        confidence, margin = (units.percent_text(one) for one in (compared.options.confidence, compared.options.margin))
        chart_panel(
            "How many times faster or slower",
            f"Each mark is a benchmark's ratio, the line through it its {confidence} interval. Within the grey band "
            f"({margin}) lies no change that matters.",
            forest_figure(compared),
            frame,
            NUMBER_COLUMNS,
            key="verdict_numbers",
            explain="With one run a side the ratio is the Hodges-Lehmann estimate over all samples and the interval "
            "that of Mann and Whitney's test, widened by the unrest seen; from four runs in all on, Student's over the "
            "runs' medians. Marks of half the speed lie as far from the line as those of twice the speed. "
            "The last line is the geometric mean over all queries and dashboards.",
        )
    st.markdown("**Verdict by benchmark**")
    show_table(frame, VERDICT_COLUMNS, key="verdicts")
    st.download_button(
        "Download the report (HTML)",
        data=lambda: comparison_html(compared),
        file_name=file_name(compared),
        mime="text/html",
        icon=":material/share:",
        on_click="ignore",
        key="comparison_report",
        help="One file that opens without a network: fit to be mailed. The same as "
        "`python -m ms5ops benchmark compare A B --html FILE`.",
    )


def _promises(compared: Comparison) -> None:
    st.caption(
        "What Phase 4 promised, and what was measured. Storage growth comes from the stored snapshots before and "
        "after, compression from the present state; what was not measured has no verdict."
    )
    show_table(promise_frame(compared), PROMISE_COLUMNS, key="promises")


def _one(compared: Comparison) -> None:
    drawable = [one for one in compared.benchmarks if one.speedup is not None and not one.is_summary]
    if not drawable:
        empty_panel(
            "No benchmark with samples on both sides",
            "Without samples there are no distributions to draw.",
            "Choose two runs that hold the same benchmarks.",
        )
        return
    names = {one.benchmark: one for one in drawable}
    name = st.selectbox(
        "Benchmark", list(names), format_func=benchmark_title, key="compared_benchmark", width=420,
        label_visibility="collapsed",
    )  # fmt: skip
    one = names.get(name or "", drawable[0])
    st.markdown(
        f"**{one.verdict.capitalize()}**: {speed_text(one.speedup.value if one.speedup else None)} "
        f"(interval {interval_text(one.speedup)}). {plain(one.reason)}"
    )
    values = {side.name: _values(side, one.benchmark) for side in (compared.before, compared.after)}
    chart_panel(
        "What share is how fast, before and after",
        f"{plain(one.about.rstrip('.'))}. Before in grey, after in blue: the further left, the faster.",
        ecdf_figure(values, one.unit, one.target_p95),
        verdict_frame(compared).query("benchmark == @one.benchmark"),
        NUMBER_COLUMNS,
        key="compared_samples",
        explain="Each step is a sample; the height is the share of samples that were at most so slow.",
    )


def _values(side: Side, benchmark: str) -> list[float]:
    parts = [run.samples.loc[run.samples["benchmark"] == benchmark, "value"].to_numpy() for run in side.runs]
    return [float(value) for value in np.concatenate(parts)]
