"""The head of the rollout page: how far this rollout is, in one sentence and seven steps."""

from html import escape
from typing import Literal

import streamlit as st

from ms5ops.control import runs
from ms5ops.observe.finding import Severity
from ms5ops.observe.verdict import Verdict
from ms5ops.rollout.journal import Deployment
from ms5ops.ui import rollout_gate as gate
from ms5ops.ui import rollout_material as material
from ms5ops.ui.messages import ICONS, plain
from ms5ops.ui.rollout_live import DOING
from ms5ops.ui.rollout_material import Material
from ms5ops.ui.verdicts import show_verdict

Mark = Literal["done", "next", "open", "bad"]
_SIGNS: dict[Mark, tuple[str, str]] = {
    "done": ("✓", "#2a9d6f"), "next": ("➜", "#0f6cbd"), "open": ("○", "#8896a3"), "bad": ("!", "#c23b3b"),
}  # fmt: skip


def show(found: Material) -> None:
    """The sentence, the steps, and what ended badly last."""
    show_verdict(verdict(found))
    steps = _steps(found)
    st.html(
        '<ol style="display:grid;grid-template-columns:repeat(auto-fit,minmax(7.4rem,1fr));gap:.5rem;list-style:none;'
        'padding:0;margin:0 0 .5rem">'
        + "".join(_card(number, title, mark, text) for number, (title, mark, text) in enumerate(steps, start=1))
        + "</ol>"
    )
    _ended(found)


def _card(number: int, title: str, mark: Mark, text: str) -> str:
    sign, colour = _SIGNS[mark]
    weight = "600" if mark == "next" else "400"
    return (
        f'<li style="border:1px solid #8896a355;border-left:4px solid {colour};border-radius:.4rem;'
        f'padding:.4rem .7rem;font-size:.9rem;line-height:1.35"><span style="font-weight:600">{number} {escape(title)} '
        f'<span style="color:{colour}">{sign}</span></span><br>'
        f'<span style="opacity:.85;font-weight:{weight}">{escape(text)}</span></li>'
    )


def verdict(found: Material) -> Verdict:
    """How the rollout stands, as somebody understands it who reads nothing else."""
    severity: Severity
    if found.run is not None:
        severity, text = "info", f"{DOING[found.run.order.kind]}, started by {found.run.actor}."
    elif found.open_deployment is not None:
        severity, text = "warning", f"{material.standing(found.open_deployment)}."
    elif found.kept is not None and found.applied is not None:
        severity, text = "ok", f"Plan {found.kept.number} became {found.applied.name}, which is {found.applied.status}."
    elif found.misfit is not None:
        severity, text = "warning", "There is nothing to plan: the database has none of the policy set's tables."
    elif found.plan.is_empty:
        severity, text = "ok", "The database is as the policy set wants it: nothing is to do."
    else:
        count = len(found.plan.operations)
        what = f"{count} operation{'' if count == 1 else 's'}"
        destroying = sum(one.destroys is not None for one in found.plan.operations)
        tail = (
            f", {destroying} of them delete{'s' if destroying == 1 else ''} old data for good"
            if destroying
            else ", none of which destroys data"
        )
        severity, text = "info", f"{what} would bring {found.environment} to the policy set{tail}."
    return Verdict(severity, text)


def _steps(found: Material) -> list[tuple[str, Mark, str]]:
    kept, applied = found.kept, found.applied if found.kept else None
    planned: tuple[str, Mark, str]
    if kept is not None:
        planned = (
            "Plan",
            "bad" if found.changed and applied is None else "done",
            f"plan {kept.number} of {kept.author}",
        )
    elif found.misfit is not None:
        planned = ("Plan", "bad", "not its tables")
    elif found.plan.is_empty:
        planned = ("Plan", "done", "nothing to do")
    else:
        planned = ("Plan", "next", f"{len(found.plan.operations)} operations")
    marks: list[tuple[str, Mark, str]] = [planned]
    if found.trial is None:
        marks.append(("Dry run", "next" if kept and applied is None else "open", "not yet"))
    else:
        failed, works = len(found.trial.failed), sum(one.result == "works" for one in found.trial.results)
        tried = f"{works} of {len(found.trial.results)} tried"
        marks.append(("Dry run", "bad" if failed else "done", f"{failed} fail" if failed else f"{tried}, all work"))
    approved = kept is not None and gate.gate_of(found, found.service.asked(kept)).fact == "met"
    if not found.connected.protected:
        marks.append(("Approve", "done", "not needed here"))
    else:
        waits = kept is not None and found.trial is not None and applied is None
        mark: Mark = "done" if approved else "next" if waits else "open"
        marks.append(("Approve", mark, "approved" if approved else "by somebody else"))
    ready = approved and found.trial is not None
    if found.run is not None and found.run.order.kind in ("apply", "resume"):
        marks.append(("Apply", "next", "at work"))
    elif applied is None:
        marks.append(("Apply", "next" if ready else "open", "not yet"))
    elif applied.direction == "rollback":
        marks.append(("Apply", "done", f"{applied.name}: taken back"))
    else:
        how: Mark = {"paused": "next", "failed": "bad", "cancelled": "bad"}.get(applied.status, "done")  # type: ignore[assignment]
        marks.append(("Apply", how, f"{applied.name}: {applied.status}"))
    done = applied is not None and applied.status == "done"
    marks.append(("Verify", "next" if done else "open", "look at it" if done else "after it"))
    marks.append(_back(applied))
    count = len(found.deployments)
    marks.append(("History", "open", f"{count} deployment{'' if count == 1 else 's'}"))
    return marks


def _back(applied: Deployment | None) -> tuple[str, Mark, str]:
    if applied is not None and applied.direction == "rollback" and applied.is_open:
        return "Roll back", "bad" if applied.status == "failed" else "next", applied.status
    back = applied is not None and applied.status == "rolled back"
    return "Roll back", "done" if back else "open", "taken back" if back else "if need be"


def _ended(found: Material) -> None:
    """The run that the address names, where it ended otherwise than well."""
    wanted = st.query_params.get("run")
    if not wanted or found.run is not None:
        return
    shown = [one for one in runs.latest(found.service.store, found.environment) if one.id == wanted]
    if not shown or shown[0].outcome in (None, "paused"):  # what is paused stands above the steps as that
        return
    run = shown[0]
    name = {"dry run": "Dry run", "apply": "Apply", "resume": "Going on", "rollback": "Roll back"}.get(
        run.order.kind, "Benchmark"
    )
    message = f" {plain(run.message)}" if run.message else ""
    if run.outcome in runs.WELL_ENDED:
        if run.message:
            st.warning(f"**{name}: {run.outcome}.**{message}", icon=ICONS["warning"])
    else:
        st.error(f"**{name}: {run.outcome}.**{message}", icon=ICONS["critical"])
        tail = runs.log_tail(run)
        if tail:
            with st.expander("Its output", type="compact"):
                st.code(tail, language=None, wrap_lines=True)
