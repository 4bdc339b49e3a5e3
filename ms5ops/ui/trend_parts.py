"""Month by month: how a benchmark went over all runs, where its level changed, and what happened then."""

from collections.abc import Mapping, Sequence

import streamlit as st

from ms5ops.benchmark.records import Run, RunHeader
from ms5ops.benchmark.run_summary import benchmark_title, target_text
from ms5ops.benchmark.selection import DeploymentSpan
from ms5ops.benchmark.trend_summary import change_frame, headline, month_frame, month_table, with_intervals
from ms5ops.benchmark.trends import Series, Trends, trends
from ms5ops.errors import Ms5opsError
from ms5ops.figures.comparison import shows_target, trend_figure
from ms5ops.ui.benchmark_readings import samples_of, without_samples
from ms5ops.ui.messages import show_error
from ms5ops.ui.panels import chart_panel, empty_panel
from ms5ops.ui.tables import Column, show_table
from ms5ops.ui.verdicts import show_verdict

MONTH_COLUMNS = [
    Column("month", "Month"),
    Column("runs", "Runs", "count"),
    Column("samples", "Samples", "count"),
    Column("median", "Median", "number", "The median of the runs' medians"),
    Column("low", "Interval from", "number", "95 % interval of the median: between runs where there are several"),
    Column("high", "Interval to", "number"),
    Column("p95", "p95", "number", "The median of the runs' p95"),
]
CHANGE_COLUMNS = [
    Column("title", "Benchmark"),
    Column("verdict", "What happened"),
    Column("change", "Change"),
    Column("before", "Level before"),
    Column("after", "Level after"),
    Column("since", "After the run of", "instant"),
    Column("until", "By the run of", "instant"),
    Column("event", "What changed then"),
    Column("runs", "Runs", about="Before / after the change"),
]


def month_by_month(
    headers: Sequence[RunHeader], deployments: Sequence[DeploymentSpan], names: Mapping[str, str]
) -> None:
    """All of it: the headline, one benchmark as a chart, the changes, and every benchmark by month."""
    try:
        found = _trends(without_samples(headers), tuple(deployments), tuple(names.items()))
    except Ms5opsError as error:
        show_error(error, "the trends")
        return
    if not found.series:
        empty_panel(
            "No trends yet", "No stored run holds figures.", "Run the benchmarks every month, for instance by cron."
        )
        return
    show_verdict(headline(found))
    _chart(found, headers)
    changes = change_frame(found)
    if not changes.empty:
        st.markdown("**Changes of level**")
        show_table(changes, CHANGE_COLUMNS, key="level_changes")
    st.markdown("**Median by month**")
    table, months = month_table(found.series)
    columns = [Column("title", "Benchmark"), Column("group", "Group"), *(Column(one, one) for one in months)]
    show_table(table, columns, key="benchmark_months")


def _chart(found: Trends, headers: Sequence[RunHeader]) -> None:
    changed = {id(one) for one in found.series if one.changes}
    ordered = sorted(found.series, key=lambda one: id(one) not in changed)
    place = st.selectbox(
        "Benchmark",
        range(len(ordered)),
        format_func=lambda place: _series_title(ordered[place], ordered),
        key="trend_benchmark",
        width=420,
        label_visibility="collapsed",
    )
    series = _with_intervals(ordered[place or 0], headers)
    chart_panel(
        f"{benchmark_title(series.benchmark)} over all runs",
        " ".join(
            filter(
                None,
                [
                    "The median of each run with its interval; an upright line where the level changed; along the "
                    "bottom what changed on the server.",
                    f"Its target, {target_text(series.target_p95, series.unit)} for 95 of 100, lies far above."
                    if series.target_p95 is not None and not shows_target(series)
                    else None,
                    series.note,
                ],
            )
        ),
        trend_figure(series, [one for one in found.events if _within(series, one.until)]),
        month_frame(series),
        MONTH_COLUMNS,
        key="trend",
        explain="Levels change where the best segmentation of the runs' medians (logarithms, penalised least squares) "
        "has an end that also stands a t-test, corrected for the places it could have been, at 1 %. Fewer than six "
        "runs are not judged.",
    )


def _with_intervals(series: Series, headers: Sequence[RunHeader]) -> Series:
    """The series with the interval of each run's median, for which its samples are read: of this benchmark alone."""
    try:
        return with_intervals(series, samples_of(headers, series.benchmark))
    except Ms5opsError as error:
        show_error(error, "the samples")
        return series


def _within(series: Series, instant: object) -> bool:
    return series.points[0].at <= instant <= series.points[-1].at  # type: ignore[operator]  # both are instants


def _series_title(series: Series, every: Sequence[Series]) -> str:
    """The benchmark, and what tells series of one benchmark apart."""
    title = benchmark_title(series.benchmark)
    if sum(one.benchmark == series.benchmark for one in every) > 1:
        title += f" ({series.points[0].at:%Y-%m-%d} to {series.points[-1].at:%Y-%m-%d}, {series.origin})"
    return title + (" – level changed" if series.changes else "")


@st.cache_resource(show_spinner="Looking for changes", max_entries=16, hash_funcs={Run: lambda run: run.header.run_id})
def _trends(
    runs: tuple[Run, ...], deployments: tuple[DeploymentSpan, ...], names: tuple[tuple[str, str], ...]
) -> Trends:
    return trends(runs, deployments, dict(names))
