"""A run as it is now, read from the journal every second: the same in every browser, whoever started it."""

from collections.abc import Sequence
from uuid import UUID

import pandas as pd
import streamlit as st

from ms5ops.benchmark import background
from ms5ops.benchmark.run_summary import benchmark_title
from ms5ops.control import progress, runs
from ms5ops.control.progress import Live
from ms5ops.control.runs import Run
from ms5ops.errors import Ms5opsError
from ms5ops.rollout.journal import Deployment, Event, OperationRow, RequestKind
from ms5ops.rollout.operation import PHASES
from ms5ops.ui import identity
from ms5ops.ui import rollout_material as material
from ms5ops.ui.benchmark_readings import forget_headers
from ms5ops.ui.links import page_link
from ms5ops.ui.messages import ICONS, plain
from ms5ops.ui.rollout_material import Material
from ms5ops.units import duration_text

_WORDS = {
    "pending": "waits", "running": "at work", "done": "done", "failed": "failed", "skipped": "advice",
    "undoing": "being undone", "undone": "undone",
}  # fmt: skip
DOING = {
    "dry run": "A dry run is at work", "apply": "The plan is being applied", "resume": "The deployment goes on",
    "rollback": "The deployment is being rolled back", "benchmark": "A benchmark is running",
}  # fmt: skip


def strip(found: Material) -> None:
    """What is at work on this environment now, on every step; nothing where nothing is."""
    if found.run is not None:
        _following(found, found.run)
        return
    last = found.open_deployment
    if last is None:
        return
    if last.status in ("running", "planned"):
        _elsewhere(found, last)
    else:
        why = f": {plain(last.note.rstrip('.'))}" if last.note else ""
        is_back = last.direction == "rollback"
        step = (
            "Finish that in step 6, or give it up in step 4."
            if is_back
            else "Go on with it in step 4, or take it back in step 6."
        )
        st.warning(
            f"**{material.standing(last)}**{why}. {step}",
            icon=":material/pause_circle:",
        )


@st.fragment(run_every=1)
def _following(found: Material, run: Run) -> None:
    now = runs.named(found.service.store, run.id)
    alive = runs.at_work(found.service.store, found.environment)
    if alive is None or alive.id != run.id or not now.is_open:
        material.forget()
        forget_headers()  # a benchmark run is among the stored ones now
        st.rerun(scope="app")
    with st.container(border=True, key="live"):
        took = duration_text(max(0.0, (found.service.now() - now.asked_at).total_seconds()))
        st.markdown(
            f":blue[:material/autorenew:] **{DOING[now.order.kind]}** for {plain(now.actor)}: {plain(now.stage)} "
            f"({took} so far). It goes on when you leave this page."
        )
        live = _live(found, now.order.deployment) if now.order.deployment else None
        if live is not None:
            show(found, live)
        elif now.order.kind == "benchmark":
            _measuring(found)


def _measuring(found: Material) -> None:
    """How far a benchmark run is; it is stopped on its own page."""
    try:
        status = background.current(found.environment)
    except Ms5opsError:
        return
    if status is not None and status.is_running:
        left = status.remaining_seconds
        ahead = f", about {duration_text(left)} left" if left is not None else ""
        st.progress(status.share, text=plain(f"{benchmark_title(status.step)}{ahead}"))
    page_link("benchmarks", "Stop it, or see what was measured")


@st.fragment(run_every=2)
def _elsewhere(found: Material, deployment: Deployment) -> None:
    """A deployment of another host, or of the command line."""
    live = _live(found, str(deployment.id))
    if live is None:
        return
    if not live.deployment.is_open or live.deployment.status not in ("running", "planned"):
        material.forget()
        st.rerun(scope="app")
    with st.container(border=True, key="live"):
        if live.is_stranded:
            st.error(
                f"**The process of {live.deployment.name} is gone.** What was committed is kept. Go on with it in "
                "step 4, or take it back in step 6.",
                icon=ICONS["critical"],
            )
        else:
            name = live.deployment.name.capitalize()
            st.markdown(f":blue[:material/autorenew:] **{name} is at work**: {plain(live.holder or '')}")
        show(found, live)


def _live(found: Material, deployment: str) -> Live | None:
    """The journal's account; None where it has none yet, or cannot be read just now."""
    try:
        known = material.known(found.connected, UUID(deployment))
        return progress.read_live(found.connected.database, UUID(deployment), known, found.service.now())
    except (Ms5opsError, IndexError):
        return None


def show(found: Material, live: Live) -> None:
    """Progress, the present operation, pause and cancel, all operations, the log."""
    current = live.current
    share = f"{round(live.fraction * 100)} %"
    text = f"{share}: {current.operation.title}" if current else share
    st.progress(min(1.0, live.fraction), text=plain(text))
    left = duration_text(live.left_seconds) if live.left_seconds is not None else "cannot be told"
    facts = f"Elapsed {duration_text(live.elapsed_seconds)}"
    facts += f", about {left} left" if live.left_seconds is not None else f", time left {left}"
    if current is not None and current.progress.get("message"):
        facts += f". {current.progress['message']}"
    st.caption(plain(facts))
    if live.is_working:
        _buttons(found, live)
    operations, log = st.tabs(["Operations", "Log"])
    with operations:
        table(live.rows)
    with log:
        events(live.events)


def _buttons(found: Material, live: Live) -> None:
    off = material.explain_off(found.actor, "apply")
    with st.container(horizontal=True):
        pause = st.button("Pause after this operation", icon=":material/pause:", disabled=off, key="ask_pause")
        cancel = st.button("Give up after this operation", icon=":material/stop:", disabled=off, key="ask_cancel")
    kind: RequestKind | None = "pause" if pause else "cancel" if cancel else None
    if kind is not None:
        deployment = str(live.deployment.id)
        asked = kind

        def ask() -> str:
            found.service.ask(identity.actor(touch=True), found.environment, deployment, asked)
            return "It was asked, and stops after the present operation."

        if material.attempt(ask):
            st.toast("It was asked, and stops after the present operation.")


def table(rows: Sequence[OperationRow]) -> None:
    """Every operation with how far it is, the one at work first."""
    order = {"running": 0, "undoing": 0, "failed": 1}
    listed = sorted(rows, key=lambda row: (order.get(row.status, 2), row.ordinal))
    frame = pd.DataFrame(
        {
            "No": [row.ordinal for row in listed],
            "Status": [_WORDS[row.status] for row in listed],
            "Phase": [f"{row.operation.phase} {PHASES[row.operation.phase]}" for row in listed],
            "Operation": [row.operation.title for row in listed],
            "Took": [duration_text(row.seconds) if row.seconds is not None else "" for row in listed],
            "Error": [row.error or "" for row in listed],
        }
    )
    st.dataframe(frame, hide_index=True, width="stretch", height=320)


def events(listed: Sequence[Event]) -> None:
    """The log, newest first."""
    lines = [
        f"{one.at:%H:%M:%S}  {one.level:7}  {one.message}" + (f"  [{one.operation}]" if one.operation else "")
        for one in reversed(listed)
    ]
    st.code("\n".join(lines) or "nothing yet", language=None, height=320, wrap_lines=True)
