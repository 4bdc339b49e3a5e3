"""Benchmarks on both sides of a rollout: offered, run where asked for, and compared."""

from typing import Literal

import streamlit as st

from ms5ops.benchmark.records import RunHeader
from ms5ops.benchmark.sides import choices
from ms5ops.control.runs import Options, Order
from ms5ops.errors import Ms5opsError
from ms5ops.rollout.journal import Deployment
from ms5ops.ui import benchmark_readings
from ms5ops.ui import rollout_material as material
from ms5ops.ui.links import page_link
from ms5ops.ui.messages import plain
from ms5ops.ui.rollout_material import Material
from ms5ops.units import instant_text

Side = Literal["before", "after"]


def offer(found: Material, side: Side) -> None:
    """Offer to measure one side; where it was measured, say when, and offer it again."""
    label = label_of(found, side)
    measured = _measured(found, label)
    if measured:
        st.markdown(
            f":green[:material/check_circle:] **Measured:** “{plain(label)}” at {instant_text(measured[-1].started_at)}"
        )
    else:
        st.caption("A benchmark on both sides shows what the rollout brought; it takes a few minutes.")
    off = material.explain_off(found.actor, "benchmark") or found.run is not None
    text = f"Measure “{label}”" + (" again" if measured else " first" if side == "before" else "")
    if st.button(text, icon=":material/timer:", disabled=off, key=f"bench_{side}"):
        material.start(found, Order("benchmark", found.environment, options=Options(label=label)))


def compared(found: Material) -> None:
    """The way to the comparison: of these two labels, or else of the runs around the deployment."""
    labels = {side: label_of(found, side) for side in ("before", "after")}
    measured = {label: _measured(found, label) for label in labels.values()}
    if all(measured.values()):
        page_link("compare", f"Compare “{labels['before']}” with “{labels['after']}”", labels)
        return
    if None in measured.values():
        st.caption("Whether both sides were measured cannot be read just now.")
    elif found.applied is not None and (around := _around(found, found.applied)) is not None:
        page_link("compare", f"Compare the runs before {found.applied.name} with those after it", around)
        return
    else:
        missing = [f"“{plain(label)}”" for label, runs in measured.items() if not runs]
        st.caption(f"There is no run of {' nor of '.join(missing)} to compare by name.")
    page_link("compare", "Compare other benchmark runs")


def _around(found: Material, applied: Deployment) -> dict[str, str] | None:
    """The sides before and after the deployment, as the compare page is asked for them; None where one has no run, or
    that cannot be read just now."""
    try:
        spans = benchmark_readings.deployments(found.page)
        offered = {one.word for one in choices(benchmark_readings.run_headers(found.page), spans)}
    except Ms5opsError:
        return None
    sides = {side: f"{side}:{applied.number}" for side in ("before", "after")}
    return sides if offered >= set(sides.values()) else None


def label_of(found: Material, side: Side) -> str:
    """What a run of that side is called: by the plan, which is known before it is applied."""
    applied = found.applied
    kept = found.kept or next((one for one in found.every_kept if applied and one.plan_hash == applied.plan_hash), None)
    name = kept.name if kept else applied.name if applied else "the rollout"
    return f"{side} {name}"


def _measured(found: Material, label: str) -> list[RunHeader] | None:
    """The runs of this database with that label, oldest first; None where the history cannot be read just now."""
    try:
        every = benchmark_readings.run_headers(found.page)
    except Ms5opsError:
        return None
    return [one for one in every if one.label == label and one.source == found.page.source]
