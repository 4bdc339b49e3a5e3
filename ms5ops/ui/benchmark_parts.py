"""The parts of the benchmarks page: one run in detail, and all of them."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import streamlit as st

from ms5ops import units
from ms5ops.benchmark.records import ASKED_OF, Result, Run, RunHeader
from ms5ops.benchmark.run_summary import (
    GroupSummary,
    benchmark_title,
    distributions,
    expected_groups,
    group_summaries,
    judged_figure,
    kept,
    marks,
    plan_frame,
    result_frame,
    run_frame,
    run_title,
    shown_samples,
    target_text,
    value_text,
)
from ms5ops.benchmark.run_summary import verdict as run_verdict
from ms5ops.benchmark.sides import deployment_names
from ms5ops.benchmark.suite import Suite
from ms5ops.environments import source_text
from ms5ops.errors import Ms5opsError
from ms5ops.figures.benchmark import distribution_figure, ecdf_figure, samples_figure
from ms5ops.observe.finding import counted
from ms5ops.ui import benchmark_readings
from ms5ops.ui.benchmark_readings import deployments, loaded, run_headers
from ms5ops.ui.links import page_link
from ms5ops.ui.messages import plain, show_error
from ms5ops.ui.panels import chart_panel, empty_panel
from ms5ops.ui.readings import Readings
from ms5ops.ui.tables import Column, harmless_texts, show_table
from ms5ops.ui.verdicts import show_verdict

RUN = "run"
"""The query parameter that names a run."""
ALL = "All"

P95 = "95 of 100 samples were at most so slow, or of rates at least so high (p95, linear quantile)"
RESULT_COLUMNS = [
    Column("title", "Benchmark"),
    Column("kept", "Target", about="Whether the p95 keeps the promise; of rates, whether the median does"),
    Column("median", "Median", about="Half of the samples were faster"),
    Column("p95", "p95", about=P95),
    Column("p99", "p99", about="99 of 100 samples were at most so slow, or of rates at least so high"),
    Column(
        "target",
        "Promised",
        about="The target that stands with the question: the most a p95 may be, or the least a rate may",
    ),
    Column("group", "Group"),
    Column("samples", "Samples", "count"),
    Column("rows", "Rows", "count", "Rows of one answer"),
    Column("outcome", "What went wrong"),
    Column("message", "Message"),
    Column("about", "What it stands for"),
    Column("benchmark", "Name", about="As `--json`, the history and the file of the question call it"),
    Column("median_value", "Median (number)", "number"),
    Column("p95_value", "p95 (number)", "number"),
    Column("unit", "Unit", about="Of the numbers"),
]
DISTRIBUTION_COLUMNS = [
    Column("title", "Benchmark"),
    Column("median", "Median (ms)", "number"),
    Column("p95", "p95 (ms)", "number"),
    Column("target", "Promised p95 (ms)", "number"),
    Column("maximum", "Slowest (ms)", "number"),
    Column("p5", "p5 (ms)", "number"),
    Column("p25", "p25 (ms)", "number"),
    Column("p75", "p75 (ms)", "number"),
    Column("samples", "Samples", "count"),
]
PLAN_COLUMNS = [
    Column("title", "Benchmark"),
    Column("plan", "Plan", about="The shape of the plan from a separate EXPLAIN (ANALYZE, BUFFERS)"),
    Column("server_ms", "Server (ms)", "number", "Execution time that the server reports, without the network"),
    Column("planning_ms", "Planning (ms)", "number"),
    Column("buffers_hit", "Pages from memory", "count", "8 kB pages found in shared buffers"),
    Column("buffers_read", "Pages read", "count", "8 kB pages that had to be fetched"),
    Column("jit", "JIT"),
]
SAMPLE_COLUMNS = [
    Column("ordinal", "Sample", "count"),
    Column("taken_at", "Taken at", "instant"),
    Column("value", "Value", "number", "In the benchmark's unit: for queries execute + fetch, in ms"),
    Column("execute_ms", "Execute (ms)", "number"),
    Column("fetch_ms", "Fetch (ms)", "number"),
    Column("client", "Client", "count"),
    Column("benchmark", "Name"),
]
MARKS_ABOUT = (
    "partial: stopped early. summary only: imported, without samples. quick: few samples. "
    "simulated data: taken on the sandbox. replayed: of the sandbox's simulated months"
)
RUN_COLUMNS = [
    Column("started_at", "Started", "instant"),
    Column("label", "Label"),
    Column("marks", "Marks", about=MARKS_ABOUT),
    Column("environment", "Environment"),
    Column("seconds", "Took", "seconds"),
    Column("timescaledb", "TimescaleDB"),
    Column("compressed_share", "Compressed", "percent", "Of the bytes that compression could hold"),
    Column("actor", "By"),
]
FACT_COLUMNS = [Column("what", "What"), Column("value", "Value")]
COLOURS = {"met": "green", "not met": "red", "no target": "gray", "not measured": "gray"}


def headers(page: Readings) -> tuple[RunHeader, ...] | None:
    """The runs of this environment, oldest first; None, and the reason, where the history cannot be read."""
    try:
        return run_headers(page)
    except Ms5opsError as error:
        show_error(error, "the history of benchmark runs")
        return None


def suite(page: Readings) -> Suite | None:
    """What is asked of this environment, said where it is its own; None, and the reason, where it cannot be read."""
    try:
        found = benchmark_readings.suite(page)
    except Ms5opsError as error:
        show_error(error, "the benchmark questions of this environment")
        return None
    if found.folder is not None:
        asked = counted(len(found.questions), "question", "questions")
        pages = f" and {counted(len(found.pages), 'dashboard', 'dashboards')}" if found.pages else ""
        st.caption(f"Measured by this environment's own questions: {asked}{pages} in {plain(str(found.folder))}.")
    return found


def chosen_run(page: Readings, every: Sequence[RunHeader]) -> Run | None:
    """The run that the address names (``?run=``), or the newest; None, with what to do, where there is none."""
    wanted = st.query_params.get(RUN)
    if not every:
        empty_panel(
            "No benchmark run yet",
            "Nothing was measured on this database so far.",
            "Run one above, or `python -m ms5ops benchmark run`; reports of the old benchmark script are taken in by "
            "`python -m ms5ops benchmark import FILE`.",
        )
        return None
    found = [one for one in every if wanted and one.run_id.startswith(wanted)]
    if wanted and len(found) != 1:
        st.warning(
            f"There is no run {plain(wanted)} of this environment. Shown is the newest one.", icon=":material/info:"
        )
    header = found[0] if len(found) == 1 else max(every, key=lambda one: _preference(page, one))
    try:
        return loaded([header.run_id])[0]
    except Ms5opsError as error:
        show_error(error, "the run")
        return None


def _preference(page: Readings, header: RunHeader) -> tuple[bool, bool, float]:
    """The newest run comes first, but one of another fill of the sandbox, or without samples, only for want of it."""
    return (header.source == page.source, not header.is_summary, header.started_at.timestamp())


def headline(run: Run, every: Sequence[RunHeader]) -> None:
    """Which run this is, what has to be known of it, how it did in a sentence; and the choice of another."""
    header = run.header
    titles = {one.run_id: run_title(one) for one in reversed(every)}
    st.session_state["run_choice"] = header.run_id
    with st.container(horizontal=True, vertical_alignment="center", key="run_head"):
        st.selectbox(
            "Run",
            list(titles),
            format_func=lambda run_id: titles[run_id],
            key="run_choice",
            on_change=lambda: _open(st.session_state["run_choice"]),
            width=420,
            label_visibility="collapsed",
        )
        for mark in marks(header):
            st.badge(mark, color="violet" if mark in ("simulated data", "replayed") else "orange")
    st.caption(_about_run(header))
    show_verdict(run_verdict(run))


def _about_run(header: RunHeader) -> str:
    took = units.duration_text((header.finished_at - header.started_at).total_seconds())
    within = "" if header.is_summary else f" in {took}"  # which a report does not tell
    parts = [f"Measured by {plain(header.actor)} on {plain(header.environment)}{within}."]
    told = header.surroundings
    if told is not None:
        share = f", {units.percent_text(told.compressed_share)} compressed" if told.compressed_share is not None else ""
        parts.append(
            f"TimescaleDB {plain(told.timescaledb_version)} on PostgreSQL {plain(told.postgres_version)},"
            f" {units.short_count_text(told.rows)} rows{share}."
        )
    if header.is_partial:
        parts.append("The run was stopped: it holds what was measured until then.")
    if header.is_summary:
        parts.append("Imported from a report: figures without samples, and so without certainty.")
    if header.note:
        parts.append(plain(header.note))
    return " ".join(parts)


def groups(run: Run, suite: Suite | None) -> None:
    """A card per group that was, or should have been, measured: its benchmark nearest to the limit, and the verdict."""
    if run.header.is_summary:  # without a p95 nothing is held against a promise: all its figures stand in the table
        return
    st.caption("Of each group the benchmark that uses most of what is promised: its p95, of rates the median.")
    with st.grid(columns=4, min_column_width=170, key="groups"):
        for group in group_summaries(run.results, expected_groups(run.header, suite)):
            _card(group)


def _card(group: GroupSummary) -> None:
    worst = group.worst
    words: str = group.kept
    if worst is not None and worst.target_p95 is not None:
        least = "least" if worst.higher_is_better else "most"
        words += f": at {least} {target_text(worst.target_p95, worst.unit)}"
    st.metric(
        group.title,
        _short(worst) if worst is not None else units.MISSING,
        words,
        delta_color=COLOURS[group.kept],  # type: ignore[arg-type]  # the colours are Streamlit's
        delta_arrow="off",
        border=True,
        help=plain(
            f"{group.met} met, {group.missed} not met, {group.unmeasured} not measured. "
            f"{_first_upper(group.sentence)}. "
            "Shown is the p95 (of rates the median) that uses most of what is promised. Targets: Phase 4's, or those "
            "of the environment's own questions."
        ),
    )


def _short(result: Result) -> str:
    """The judged figure so that it fits a card: of rates ``14.2 k/s``."""
    figure = judged_figure(result)
    if result.unit in ("rows/s", "queries/s"):
        return f"{units.short_count_text(figure)}/s"
    return value_text(figure, result.unit)


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:] if text else "Nothing of this group was measured"


def tabs(page: Readings, run: Run, every: Sequence[RunHeader]) -> None:
    """Distributions, one benchmark closely, all figures, plans, circumstances, and the other runs."""
    drawn: dict[str, Callable[[], None]] = {
        "Distributions": lambda: _distributions(run),
        "One benchmark": lambda: _one(run),
        "All figures": lambda: _results(run),
        "Plans": lambda: _plans(run),
        "Circumstances": lambda: _circumstances(page, run.header),
        "Past runs": lambda: past_runs(page, every),
    }
    for tab, draw in zip(
        st.tabs(list(drawn), on_change="rerun", key="benchmark_tab", bind="query-params"), drawn.values(), strict=True
    ):
        if tab.open:
            with tab:
                draw()


def _distributions(run: Run) -> None:
    frame = distributions(run)
    if frame.empty:
        empty_panel(
            "No distributions",
            "This run holds no samples of queries.",
            "Imported reports carry averages only; a run of `python -m ms5ops benchmark run` keeps every sample.",
        )
        return
    chart_panel(
        "How long each query takes",
        "Every sample, the middle half of them as a box, 5 to 95 of 100 as whiskers, and the promised p95 as a mark.",
        distribution_figure(frame, shown_samples(run.samples, list(frame["benchmark"]))),
        frame,
        DISTRIBUTION_COLUMNS,
        key="distributions",
        explain="Time from sending a query until the last row is there (execute + fetch), by the client's monotonic "
        "clock. The right end of a whisker is the p95 that the target is held against. Where times lie far apart, the "
        "axis is logarithmic: each step to the right multiplies.",
    )


def _one(run: Run) -> None:
    measured = [one for one in run.results if one.outcome == "ok" and one.samples and not run.header.is_summary]
    if not measured:
        empty_panel("No samples", "This run holds no samples.", "Choose another run under Past runs.")
        return
    names = [one.benchmark for one in measured]
    name = st.selectbox(
        "Benchmark", names, format_func=benchmark_title, key="one_benchmark", width=420, label_visibility="collapsed"
    )
    found = next((one for one in measured if one.benchmark == name), measured[0])
    own = run.samples[run.samples["benchmark"] == found.benchmark]
    st.caption(plain(found.about))
    with st.grid(columns=2, min_column_width=400, key="one_benchmark_charts"):
        chart_panel(
            "What share is how fast",
            f"{units.count_text(found.samples)} samples: median {value_text(found.median, found.unit)}, "
            f"p95 {value_text(found.p95, found.unit)}. Target: {kept(found)}.",
            ecdf_figure({benchmark_title(found.benchmark): list(own["value"])}, found.unit, found.target_p95),
            own,
            SAMPLE_COLUMNS,
            key="samples",
            explain="Each step is a sample; the height is the share of samples that were at most so slow.",
        )
        chart_panel(
            "In the order taken",
            "A drift, or a spell in which the machine was disturbed, shows here.",
            samples_figure(own, found.unit, found.target_p95, found.median),
            own,
            SAMPLE_COLUMNS,
            key="samples_in_time",
            explain="The samples of all benchmarks are taken in one randomised order: a disturbance hits all alike.",
        )
    _details(found)


def _details(result: Result) -> None:
    plan = result.details.get("plan")
    if plan:
        st.markdown("**Plan**")
        st.code(str(plan), language=None, wrap_lines=True)
    rest = {name: value for name, value in result.details.items() if name not in ("plan", "text", ASKED_OF)}
    rest |= {f"asked of {name}": words for name, words in result.details.get(ASKED_OF, {}).items()}
    if rest:
        with st.expander("What else was seen", type="compact"):
            show_table(_facts(rest), FACT_COLUMNS, key="benchmark_details")
    if result.details.get("text"):
        with st.expander("Query as it was sent", type="compact"):
            st.code(str(result.details["text"]), language="sql")


def _results(run: Run) -> None:
    show_table(result_frame(run.results), RESULT_COLUMNS, key="benchmark_results")
    if len(run.samples):
        st.download_button(
            f"Download all {units.count_text(len(run.samples))} samples as CSV",
            data=lambda: harmless_texts(run.samples).to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%S.%f%z"),
            file_name=f"samples_{run.header.run_id[:8]}.csv",
            mime="text/csv",
            icon=":material/download:",
            type="tertiary",
            on_click="ignore",
            key="all_samples",
        )


def _plans(run: Run) -> None:
    frame = plan_frame(run.results)
    if frame.empty:
        empty_panel("No plans", "This run recorded no plans.", "Imported reports carry none.")
        return
    st.caption(
        "What the server did, from one separate EXPLAIN (ANALYZE, BUFFERS) per query, outside the timed samples."
    )
    show_table(frame, PLAN_COLUMNS, key="plans")


def _circumstances(page: Readings, header: RunHeader) -> None:
    told = header.surroundings
    facts: dict[str, object] = {
        "Started": units.instant_text(header.started_at),
        "What the queries took for “now”": units.instant_text(header.anchor),
        "Database": source_text(header.source),
        "Origin of the data": header.origin,
        "Measured by": header.actor,
        "Random seed of the order": header.seed,
        "Texts of the benchmarks (fingerprint)": header.suite_hash[:12],
        "Run (identifier)": header.run_id,
    }
    if told is None:
        st.caption("The imported report does not tell versions, settings, hardware and data volume.")
    else:
        facts |= {
            "PostgreSQL": told.postgres_version,
            "TimescaleDB": f"{told.timescaledb_version} ({told.edition})",
            "Rows": units.count_text(told.rows),
            "Size of the database": units.bytes_text(told.database_bytes),
            "Compressed share": units.percent_text(told.compressed_share),
            "Policy in force (fingerprint)": (told.policy_hash or "none")[:12],
            "Deployment in force": _deployment_text(page, told.deployment_id),
            "Protocol": told.protocol,
            "ms5ops": told.tool_version,
        }
        facts |= {topic[:1].upper() + topic[1:]: value for topic, value in told.hardware.items()}
        facts |= {f"Setting {name}": value for name, value in told.settings.items()}
    show_table(_facts(facts), FACT_COLUMNS, key="circumstances")


def _deployment_text(page: Readings, deployment_id: str | None) -> str:
    """What people call the deployment; its id where it is not of this database, or the journal cannot be read."""
    if deployment_id is None:
        return "none"
    try:
        return deployment_names(deployments(page)).get(deployment_id, deployment_id)
    except Ms5opsError:
        return deployment_id


def _facts(values: Mapping[str, object]) -> pd.DataFrame:
    return pd.DataFrame(
        [(name.replace("_", " "), str(value)) for name, value in values.items()], columns=["what", "value"]
    )


def past_runs(page: Readings, every: Sequence[RunHeader]) -> None:
    """All runs, filtered by label, month and origin."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="run_filters"):
        wanted = st.text_input("Label holds", key="run_label", width=220, placeholder="any")
        months = sorted({f"{one.started_at:%Y-%m}" for one in every}, reverse=True)
        month = st.selectbox("Month", [ALL, *months], key="run_month", width=150)
        origin = st.selectbox("Origin", [ALL, *sorted({one.origin for one in every})], key="run_origin", width=150)
    found = [
        one
        for one in every
        if wanted.lower() in (one.label or "").lower()
        and month in (ALL, f"{one.started_at:%Y-%m}")
        and origin in (ALL, one.origin)
    ]
    if not found:
        st.markdown(":gray[No run matches.]")
        return
    frame = run_frame(found)
    st.caption("Tick a line to open the run above.")
    show_table(frame, RUN_COLUMNS, key="past_runs", on_choose=lambda place: _open(str(frame["run_id"].iloc[place])))
    if {one.source for one in found} - {page.source}:
        st.caption("Some of these runs are of another fill of the sandbox, or another address: their data differ.")
    page_link("compare", "Compare two of them")


def _open(run_id: str) -> None:
    st.query_params[RUN] = run_id
