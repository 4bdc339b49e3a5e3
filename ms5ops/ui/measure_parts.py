"""Running benchmarks from the page: started as a process of its own, watched by every session, stopped by anybody."""

from datetime import UTC, datetime

import streamlit as st

from ms5ops import units
from ms5ops.access.manage import allowed, recorded
from ms5ops.access.roles import LEAST, may
from ms5ops.benchmark import background
from ms5ops.benchmark.background import Status
from ms5ops.benchmark.run_summary import benchmark_title
from ms5ops.control import measuring
from ms5ops.control.runs import Options, Order, Scope
from ms5ops.control.service import Service
from ms5ops.errors import BenchmarkError, Ms5opsError
from ms5ops.ui.benchmark_readings import forget_headers
from ms5ops.ui.identity import actor
from ms5ops.ui.messages import plain
from ms5ops.ui.readings import Readings

LOOK_EVERY_S = 1
SCOPES: dict[str, Scope] = {
    "Quick: all queries, few samples": "quick",
    "Queries, dashboards and job starts, in full": "usual",
    "Everything: with ingest, many clients, double volume": "everything",
}
_SEEN = "benchmark_seen_running"


def measure(page: Readings) -> None:
    """The run under way with its progress, or the form that starts one."""
    status = _status(page)
    if status is not None and status.is_running:
        st.session_state[_SEEN] = True
        _progress(page)
        return
    if st.session_state.pop(_SEEN, False):
        forget_headers()
    _form(page, status)


@st.fragment(run_every=LOOK_EVERY_S)
def _progress(page: Readings) -> None:
    status = _status(page)
    if status is None or not status.is_running:
        st.rerun()  # the page as a whole: the run is among the stored ones now
        return
    with st.container(border=True, key="measuring"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**Measuring{f': {plain(status.label)}' if status.label else ''}**", width="content")
            st.button(
                "Stopping …" if status.stop_asked else "Stop, and keep what was measured",
                icon=":material/stop_circle:",
                disabled=status.stop_asked or _refusal() is not None,
                on_click=_stop,
                args=(status.environment,),
                key="stop_benchmarks",
            )
        left = status.remaining_seconds
        ahead = f", about {units.duration_text(left)} left" if left is not None else ""
        st.progress(status.share, text=f"{plain(benchmark_title(status.step))}{ahead}")
        since = units.ago_text(status.started_at, datetime.now(UTC))
        st.caption(
            f"Started by {plain(status.actor)} {since}, process {status.pid}. It goes on when this page is closed; "
            "other work on the server meanwhile shows in the figures."
        )


def _stop(environment: str) -> None:
    try:
        who = allowed(actor(), "benchmark", environment)
        with recorded(who, "stop benchmark", environment):
            background.ask_to_stop(environment)
    except Ms5opsError as error:
        st.error(f"**The run goes on.** {plain(error.happened)}\n\n{plain(error.next_step)}", icon=":material/error:")


def _form(page: Readings, status: Status | None) -> None:
    refusal = _refusal()
    with st.form("measure", border=True):
        st.markdown(
            "**Measure now**",
            help="Runs the benchmark suite on this environment, read-only except for the scratch table of the ingest "
            "benchmark, which is removed. The same as `python -m ms5ops benchmark run`.",
        )
        with st.container(horizontal=True, vertical_alignment="bottom", key="measure_form"):
            label = st.text_input(
                "Label", key="measure_label", placeholder="such as: before the upgrade", width=270,
                help="What people will call this run. Runs can be compared by it.",
            )  # fmt: skip
            scope = st.selectbox("What", list(SCOPES), key="measure_scope", width=360)
            repeat = st.number_input(
                "Runs in a row", min_value=1, max_value=50, value=1, step=1, key="measure_repeat", width=120,
                help="Several runs tell how far unchanged runs lie apart: a comparison with three or more on either "
                "side sees smaller changes.",
            )  # fmt: skip
            wanted = st.form_submit_button(
                "Run benchmarks", type="primary", icon=":material/timer:", disabled=refusal is not None
            )
        if refusal is not None:
            st.caption(refusal)
        if status is not None:
            _last(status)
    if wanted:
        _start(page, label.strip(), scope, repeat)


def _refusal() -> str | None:
    """Why the button is off for whoever looks; None where it is not."""
    try:
        who = actor()
    except Ms5opsError as error:
        return plain(f"{error.happened} {error.next_step}")
    if may(who, "benchmark"):
        return None
    role = LEAST["benchmark"]
    start = "Nobody is signed in" if who is None else f"{plain(who.name)} has the role {who.role}"
    return f"{start}; running benchmarks takes the role {role} or more. `python -m ms5ops benchmark run` does the same."


def _last(status: Status) -> None:
    """How the last run that was started here ended, where that is worth a line."""
    if status.outcome == "failed":
        st.error(f"**The last run failed.** {plain(status.message or '')}", icon=":material/error:")
    elif status.outcome == "died":
        st.error(
            "**The last run ended without a word.** What it had measured until some seconds before is taken in by the "
            "next run, and shown among the past runs as partial.",
            icon=":material/error:",
        )
        if status.message:
            st.code(status.message, language=None, wrap_lines=True)
    elif status.finished_at is not None:
        word = "was stopped" if status.outcome == "stopped" else "finished"
        st.caption(f"The last run {word} {units.ago_text(status.finished_at, datetime.now(UTC))}.")


def _start(page: Readings, label: str, scope: str, repeat: int) -> None:
    service = Service.here()
    options = Options(label=label or None, scope=SCOPES[scope], repeat=repeat)
    try:
        run, is_new = service.start(actor(touch=True), Order("benchmark", page.connected.name, options=options))
        if not is_new:
            raise BenchmarkError(
                f"A run of {run.actor} is at work there ({run.order.kind}).", "Measure when it has ended."
            )
        measuring.wait_until_begun(service.store, run)
    except Ms5opsError as error:
        st.error(
            f"**No run was started.** {plain(error.happened)}\n\n{plain(error.next_step)}", icon=":material/error:"
        )
        return
    st.query_params.pop("run", None)  # the newest is shown when it is done
    st.rerun()


def _status(page: Readings) -> Status | None:
    try:
        return background.current(page.connected.name)
    except Ms5opsError:
        return None  # without a state folder nothing was started; starting says why it cannot be
