"""The parts of the jobs page."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

from ms5ops import units
from ms5ops.errors import HistoryError
from ms5ops.figures.jobs import OUTCOMES, delay_figure, success_figure, timeline_figure
from ms5ops.observe.finding import counted
from ms5ops.observe.health import problems
from ms5ops.observe.jobs import RUN_DTYPES, Job, common_failure
from ms5ops.observe.run_history import (
    Timeline,
    failures_by_message,
    joined_runs,
    lane_names,
    record_gap,
    run_at,
    runs_within,
    start_delays,
    timeline,
)
from ms5ops.observe.schedule import JobSummary, job_frame, job_summary, upcoming
from ms5ops.ui import readings, shell
from ms5ops.ui.findings import show_finding
from ms5ops.ui.messages import ICONS, plain, show_error
from ms5ops.ui.panels import chart_panel, empty_panel
from ms5ops.ui.readings import Readings
from ms5ops.ui.tables import Column, show_table
from ms5ops.ui.verdicts import show_verdict

SPANS = {"1 h": timedelta(hours=1), "24 h": timedelta(days=1), "7 d": timedelta(days=7), "30 d": timedelta(days=30)}
IN_WORDS = {"1 h": "last hour", "24 h": "last 24 hours", "7 d": "last 7 days", "30 d": "last 30 days"}
NEXT_SHOWN = 12
MESSAGES_SHOWN = 5

RUN_COLUMNS = [
    Column("start", "Started", "instant"),
    Column("job", "Job"),
    Column("outcome", "Outcome"),
    Column("duration_s", "Duration", "seconds"),
    Column("message", "Message"),
    Column("error_code", "Error code", about="PostgreSQL's SQLSTATE"),
    Column("job_id", "Job number", about="job_id in timescaledb_information.jobs"),
    Column("origin", "Known from", about="The server's job history, this console's history, or the job's last run"),
    Column("calendar", "Calendar", about="“replayed”: the run was measured, its calendar was simulated"),
]
JOB_COLUMNS = [
    Column("job", "Job"),
    Column("state", "State"),
    Column("every", "Every", about="Its schedule interval"),
    Column("last_start", "Last start", "instant"),
    Column("duration_s", "Last run took", "seconds"),
    Column("next_start", "Next start", "instant", "Empty while it runs, is paused, or is due at once"),
    Column("overdue_s", "Waiting since it was due", "seconds"),
    Column("success_rate", "Success rate", "percent", "Of all finished runs since the job was made"),
    Column("runs", "Runs", "count"),
    Column("failures", "Failures", "count"),
    Column("in_a_row", "Failures in a row", "count", "Empty where the server does not tell"),
    Column("kind", "Kind"),
    Column("target", "Works on"),
    Column("owner", "Owner"),
    Column("procedure", "Procedure"),
    Column("job_id", "Job number", about="job_id in timescaledb_information.jobs"),
]
DELAY_COLUMNS = [
    Column("job", "Job"),
    Column("runs", "Runs", "count"),
    Column("median_s", "Half start within", "seconds"),
    Column("p95_s", "95 of 100 start within", "seconds"),
    Column("worst_s", "Latest start", "seconds"),
    Column("on_time", "Within 5 min", "percent", "Of starts, within 5 minutes of their schedule"),
]
FAILURE_COLUMNS = [
    Column("times", "Times", "count"),
    Column("last", "Last", "instant"),
    Column("first", "First", "instant"),
    Column("jobs", "Jobs"),
    Column("message", "Message"),
    Column("error_code", "Error code", about="PostgreSQL's SQLSTATE"),
]
START_COLUMNS = [
    Column("when", "When"),
    Column("job", "Job"),
    Column("at", "Start", "instant", "Empty: due at once"),
]


def verdict(page: Readings, jobs: Sequence[Job]) -> None:
    """One sentence on all jobs."""
    show_verdict(_summary(page, jobs).verdict)


def key_figures(page: Readings, jobs: Sequence[Job]) -> None:
    """How many do well, fail, wait and succeed."""
    found = _summary(page, jobs)
    waiting = len(found.late) + len(found.never_ran)
    starts = [
        start
        for start in upcoming(jobs, page.read_at, page.server.started_at)
        if start.late is None and start.at is not None
    ]
    with st.container(horizontal=True, key="job_figures"):
        st.metric(
            "Jobs on schedule",
            f"{found.fine} of {len(jobs)}",
            border=True,
            help="Background jobs that run or wait for their next start, and whose last run did not fail. "
            "Source: timescaledb_information.jobs and job_stats.",
        )
        st.metric(
            "Last run failed",
            units.count_text(len(found.failing)),
            border=True,
            help="Jobs whose last run failed or crashed." + _listed(found.failing),
        )
        st.metric(
            "Late by over 5 min",
            units.count_text(waiting),
            border=True,
            help="Jobs that should have started more than 5 minutes ago and have not."
            + _listed(found.late + found.never_ran)
            + (
                f" Waiting longest: {plain(found.longest_wait_job)}, {units.interval_text(found.longest_wait)}."
                if found.longest_wait_job
                else ""
            ),
        )
        st.metric(
            "Runs succeeded",
            units.MISSING if found.success_rate is None else units.percent_text(found.success_rate, 1),
            border=True,
            help=f"Of {units.count_text(found.finished_runs)} finished runs of all jobs since each was made "
            "(timescaledb_information.job_stats).",
        )
        st.metric(
            "Next start",
            units.ago_text(starts[0].at, page.read_at) if starts else units.MISSING,
            border=True,
            help=f"{plain(starts[0].job)}, at {units.instant_text(starts[0].at)}."
            if starts
            else "No job is scheduled.",
        )


def common_cause(page: Readings, jobs: Sequence[Job]) -> None:
    """The message that most jobs fail with, where they do."""
    runs = page.overview.job_runs.value
    common = common_failure(jobs, runs) if runs is not None else None
    if common is None:
        return
    with st.container(border=True):
        st.markdown("**What they all fail with**")
        st.code(common.message, language=None, wrap_lines=True)
        st.markdown(
            "When jobs of different kinds fail with one message, their policies are not the cause. Their work may be "
            "done all the same: see on Compression and Aggregates whether chunks are compressed and summaries fresh."
        )


def no_policies(page: Readings) -> None:
    """Where no job works on a table: what that means and what to do."""
    if page.server.edition == "apache":
        why = (
            "This server runs the Apache edition of TimescaleDB, which has no policies: nothing compresses, expires or "
            "summarises data by itself."
        )
        step = "Ask the administrator for the Community build (timescaledb.license = timescale), which is free to use."
    else:
        why = (
            "No background job compresses, expires or summarises the tables: they grow until someone clears "
            "them by hand, and long-range charts read raw rows."
        )
        step = shell.missing_next_step(page)
    empty_panel("No job takes care of the tables yet", why, step)


def housekeeping(page: Readings, jobs: Sequence[Job]) -> None:
    """TimescaleDB's own jobs, where there are no others."""
    if jobs:
        with st.expander(f"TimescaleDB's own housekeeping ({counted(len(jobs), 'job', 'jobs')})"):
            _all_jobs(page, jobs)


@st.fragment
def runs_over_time(page: Readings, jobs: Sequence[Job]) -> None:
    """The timeline with its span, and the message of the run that was clicked."""
    runs = _runs(page, jobs)
    default = "24 h" if len(runs_within(runs, page.read_at - SPANS["24 h"], page.read_at - SPANS["1 h"])) else "1 h"
    chosen = st.segmented_control(
        "Time span", list(SPANS), default=default, required=True, key="jobs_span", label_visibility="collapsed"
    )
    span = chosen or default
    since = page.read_at - SPANS[span]
    drawn = timeline(runs, since, page.read_at)
    _records_note(page, jobs)
    if not drawn.runs:
        empty_panel(
            f"No run in the {IN_WORDS[span]}",
            "No job has started in this time, or its runs are not recorded.",
            "Choose a longer time span; the tabs below tell when each job last ran and will run next.",
        )
        return
    clicked = chart_panel(
        f"Runs of background jobs, {IN_WORDS[span]}",
        _about(drawn, jobs),
        timeline_figure(drawn, since, page.read_at),
        _with_calendar(runs_within(runs, since, page.read_at)),
        RUN_COLUMNS,
        key="job_runs",
        explain="One lane per job, one bar per run from start to finish; very short runs are drawn wider than they "
        "are so that they can be seen. Sources: timescaledb_information.job_history, for older runs the history "
        "that this console keeps, and each job's last run from job_stats. Runs started by hand (run_job) appear in "
        "none of them.",
        selectable=True,
    )
    _clicked_run(runs, clicked)


def details(page: Readings, jobs: Sequence[Job]) -> None:
    """What comes next, how late jobs start, how often they succeed, what they failed with, and all of them."""
    titles = [
        "What happens next",
        "Start delay",
        "Success rate",
        "Failures",
        "All jobs",
    ]
    tabs = st.tabs(titles, key="jobs_tabs", on_change="rerun")
    for tab, draw in zip(tabs, (_next_starts, _delays, _success, _failures, _all_jobs), strict=True):
        if tab.open:
            with tab:
                draw(page, jobs)


def _next_starts(page: Readings, jobs: Sequence[Job]) -> None:
    found = _summary(page, jobs)
    coming = upcoming(jobs, page.read_at, page.server.started_at)
    sides = st.grid(columns=2, min_column_width=360)
    left, right = sides.container(), sides.container()
    with left:
        st.markdown("**What happens next**")
        if coming:
            rows = [
                (
                    "due now" if one.at is None
                    else f"late by {units.interval_text(one.late)}" if one.late is not None
                    else units.ago_text(one.at, page.read_at),
                    one.job,
                    one.at,
                )
                for one in coming
            ]  # fmt: skip
            show_table(
                pd.DataFrame(rows, columns=["when", "job", "at"]), START_COLUMNS, key="next_starts",
                height=36 * (min(NEXT_SHOWN, len(rows)) + 1) + 2,
            )  # fmt: skip
        else:
            st.markdown(":gray[No job is scheduled.]")
    with right:
        st.markdown("**Running, in trouble or not run yet**")
        groups = {
            "Running now": found.running,
            "Last run failed": found.failing,
            "Late by over 5 min": found.late,
            "Never ran, though due": found.never_ran,
            "Paused (schedule switched off)": found.paused,
            "Not run yet, not due yet": found.not_yet_due,
        }
        for title, names in groups.items():
            if names:
                st.markdown(f"{title}: " + ", ".join(f"**{plain(name)}**" for name in names))
        if not any(groups.values()):
            st.markdown(":gray[Every job has run and waits for its next start.]")
    wrong = [one for one in problems(page.findings) if one.page == "jobs"]
    if wrong:
        st.markdown("**What to do**")
    for finding in wrong:
        show_finding(finding, "jobs")


def _delays(page: Readings, jobs: Sequence[Job]) -> None:
    found = start_delays(_runs(page, jobs), jobs)
    if found.empty:
        empty_panel(
            "Start delays cannot be told yet",
            "They need recorded successful runs, at least two of a job.",
            "Switch on timescaledb.enable_job_execution_logging, or wait for the next runs. Jobs that are late right "
            "now are listed under What happens next.",
        )
        return
    chart_panel(
        "How long after its due time each job starts",
        f"Latest start of each job over {units.count_text(int(found['runs'].sum()))} recorded runs; a start "
        "within 5 min is asked for",
        delay_figure(found.head(40)),
        found,
        DELAY_COLUMNS,
        key="job_delays",
        explain="A run is due one schedule interval after the last successful one finished or, on a fixed schedule, at "
        "the next slot. Retries after a failure do not count. Time in which the server was down counts as delay. "
        "Source: timescaledb_information.job_history.",
    )


def _success(page: Readings, jobs: Sequence[Job]) -> None:
    frame = job_frame(jobs, page.read_at, page.server.started_at)
    found = frame[frame["success_rate"].notna()].sort_values(["success_rate", "runs"], ascending=[True, False])
    if found.empty:
        empty_panel("No run has finished yet", "Success can be told after the first run of a job.", "Look again later.")
        return
    chart_panel(
        "How often each job succeeds",
        "Share of all finished runs since the job was made, worst first",
        success_figure(found.head(40)),
        found,
        JOB_COLUMNS,
        key="job_success",
        explain="total_successes over total_successes + total_failures of timescaledb_information.job_stats. A run can "
        "count as a success though it skipped some chunks: see the backlog on Compression.",
    )


def _failures(page: Readings, jobs: Sequence[Job]) -> None:
    failed = failures_by_message(_runs(page, jobs))
    if failed.empty:
        st.markdown(":gray[No failed run is recorded, on the server or in the history.]")
        return
    for row in failed.head(MESSAGES_SHOWN).to_dict("records"):
        with st.container(border=True):
            times = f"{units.count_text(row['times'])} times" if row["times"] > 1 else "once"
            last = units.ago_text(row["last"], page.read_at) if pd.notna(row["last"]) else "at an unknown time"
            st.markdown(f"**{plain(row['jobs'])}** failed {times}, last {last}, with:")
            st.code(row["message"], language=None, wrap_lines=True)
    show_table(failed, FAILURE_COLUMNS, key="job_failures")


def _all_jobs(page: Readings, jobs: Sequence[Job]) -> None:
    show_table(job_frame(jobs, page.read_at, page.server.started_at), JOB_COLUMNS, key="jobs")


def _about(drawn: Timeline, jobs: Sequence[Job]) -> str:
    runs = "1 run" if drawn.runs == 1 else f"{units.count_text(drawn.runs)} runs"
    parts = [f"{runs}, times in UTC; click a bar to read its message"]
    if drawn.merged:
        parts.append(
            f"{units.count_text(drawn.merged)} of them, of jobs that run often, share bars of "
            f"{units.interval_text(drawn.slot)}"
        )
    if drawn.left_out:
        parts.append(f"{units.count_text(drawn.left_out)} runs of further jobs are in the table only")
    if drawn.replayed:
        parts.append(
            f"{'all' if drawn.replayed == drawn.runs else units.count_text(drawn.replayed)} of them replayed: only "
            "their calendar was simulated"
        )
    silent = sorted(set(lane_names(jobs).values()) - set(drawn.lanes))
    if silent and not drawn.left_out:
        more = f" and {len(silent) - 6} more" if len(silent) > 6 else ""
        parts.append(f"no recorded run: {plain(', '.join(silent[:6]))}{more}")
    return ". ".join(part[:1].upper() + part[1:] for part in parts) + "."


def _records_note(page: Readings, jobs: Sequence[Job]) -> None:
    if page.overview.job_runs.error is not None:
        show_error(page.overview.job_runs.error, "the runs of the jobs")
        return
    gap = record_gap(jobs, page.overview.job_runs.get())
    if gap is not None:
        st.info(
            f"The server counts {units.count_text(gap.counted)} successful runs and shows none of them: without "
            "`timescaledb.enable_job_execution_logging` it records only failures, and it shows runs only to members of "
            "the role that owns the job. The picture holds failures, each job's last run, and what this console has "
            "collected.",
            icon=ICONS["info"],
        )


def _clicked_run(runs: pd.DataFrame, clicked: Sequence[Sequence[str]]) -> None:
    if not clicked:
        return
    run = run_at(runs, int(clicked[0][1]), clicked[0][2])
    if run is None:
        return
    word = OUTCOMES[run["outcome"]][0]
    took = units.duration_text(run["duration_s"]) if pd.notna(run["duration_s"]) else "not recorded"
    with st.container(border=True, key="clicked_run"):
        st.markdown(f"**{plain(run['job'])}**: {word.lower()}")
        replayed = ", replayed" if run["is_replayed"] else ""
        st.caption(
            f"Started {run['start']:%Y-%m-%d %H:%M:%S} UTC, duration {took}, job number {run['job_id']}{replayed}"
        )
        if isinstance(run["message"], str):
            st.code(run["message"], language=None, wrap_lines=True)
        elif run["outcome"] != "succeeded":
            st.markdown(":gray[No message was recorded.]")


def _summary(page: Readings, jobs: Sequence[Job]) -> JobSummary:
    return job_summary(jobs, page.overview.job_runs.found(_no_runs()), page.read_at, page.server.started_at)


def _runs(page: Readings, jobs: Sequence[Job]) -> pd.DataFrame:
    """The server's runs and the stored ones; without a history the server's alone. One frame per reading: do not
    change it."""
    try:
        midnight = page.read_at.replace(hour=0, minute=0, second=0, microsecond=0)
        stored = readings.stored("job_runs", page.source, midnight - SPANS["30 d"])
    except HistoryError as error:
        show_error(error, "the history of older runs")
        stored = None
    return _joined(page.source, page.read_at, page, stored, jobs)


@st.cache_resource(ttl=readings.READ_TTL_S, max_entries=16, show_spinner=False)
def _joined(
    source: str, read_at: datetime, _page: Readings, _stored: pd.DataFrame | None, _jobs: Sequence[Job]
) -> pd.DataFrame:
    return joined_runs(_page.overview.job_runs.found(_no_runs()), _stored, _jobs, read_at - SPANS["30 d"])


def _with_calendar(runs: pd.DataFrame) -> pd.DataFrame:
    return runs.assign(calendar=runs["is_replayed"].map({True: "replayed", False: ""}))


def _no_runs() -> pd.DataFrame:
    return pd.DataFrame(columns=list(RUN_DTYPES)).astype(RUN_DTYPES)


def _listed(names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f" Now: {plain(', '.join(names[:8]))}{more}."
