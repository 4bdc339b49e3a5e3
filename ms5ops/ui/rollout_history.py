"""Step 7 of a rollout: what was deployed, by whom, what it changed, and how it went."""

from uuid import UUID

import pandas as pd
import streamlit as st

from ms5ops.control import approvals, plans, progress, runs
from ms5ops.control.plans import KeptPlan
from ms5ops.errors import Ms5opsError
from ms5ops.rollout import report
from ms5ops.rollout.journal import Deployment
from ms5ops.ui import rollout_live as live
from ms5ops.ui import rollout_material as material
from ms5ops.ui.links import page_link
from ms5ops.ui.messages import plain, show_failure
from ms5ops.ui.rollout_material import Material
from ms5ops.ui.tables import Column, show_table
from ms5ops.units import MISSING, instant_text

COLUMNS = (
    Column("number", "Deployment", "count"),
    Column("status", "Status"),
    Column("started", "Started", "instant"),
    Column("seconds", "Took", "seconds"),
    Column("done", "Done"),
    Column("planned", "Planned by"),
    Column("approved", "Approved by"),
    Column("applied", "Applied by"),
    Column("back", "Rolled back by"),
    Column("taken_back", "Rolled back", "instant"),
    Column("note", "Note"),
)


def show(found: Material) -> None:
    """The whole step."""
    if not found.deployments:
        st.info("Nothing was ever applied to this database.", icon=":material/history:")
    else:
        show_table(_frame(found), COLUMNS, key="deployments")
        by_number = {one.number: one for one in found.deployments}
        wanted = next((one.number for one in found.deployments if str(one.id) == st.query_params.get("run")), None)
        numbers = list(by_number)
        chosen = st.selectbox(
            "Look into a deployment", numbers, index=numbers.index(wanted) if wanted else 0,
            format_func=lambda number: f"Deployment {number} of {instant_text(by_number[number].started_at)}",
            key="history_one",
        )  # fmt: skip
        _one(found, by_number[chosen])
    _attempts(found)
    page_link("audit", "Audit log: sign-ins, refusals and every decision")


def _frame(found: Material) -> pd.DataFrame:
    kept = {one.plan_hash: one for one in plans.kept(found.service.store, found.environment, 1000)}
    made = runs.latest(found.service.store, found.environment, 1000)
    back = {
        one.order.deployment: one.actor for one in made if one.order.kind == "rollback" and one.outcome != "refused"
    }
    rows = []
    for one in found.deployments:
        plan = kept.get(one.plan_hash)
        rows.append(
            {
                "number": one.number,
                "status": one.status,
                "started": one.started_at,
                "seconds": one.seconds,
                "done": "taken back" if one.status == "rolled back" else f"{one.done} of {one.operations}",
                "planned": plan.author if plan else MISSING,
                "approved": _approvers(found, plan),
                "applied": f"{one.actor} on {one.host}",
                "back": back.get(str(one.id), MISSING),
                "taken_back": one.taken_back_at,
                "note": one.notes,
            }
        )
    frame = pd.DataFrame(rows)
    for name in ("started", "taken_back"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    frame["seconds"] = frame["seconds"].astype("Float64")
    return frame


def _approvers(found: Material, plan: KeptPlan | None) -> str:
    standing = approvals.approvals(found.service.store, plan.subject) if plan else ()
    return ", ".join(dict.fromkeys(one.approver for one in standing if one.withdrawn_at is None)) or MISSING


def _one(found: Material, deployment: Deployment) -> None:
    try:
        known = material.known(found.connected, deployment.id)
        state = progress.read_live(found.connected.database, UUID(str(deployment.id)), known, found.now)
    except Ms5opsError as error:
        show_failure(error)
        return
    st.markdown(f"**{deployment.name.capitalize()} is {deployment.status}.** {plain(deployment.notes)}")
    changes, operations, log = st.tabs(["What it changed", "Operations", "Log"])
    with changes:
        touched = [row for row in state.rows if row.status in ("done", "undone", "failed", "running", "undoing")]
        frame = pd.DataFrame(
            {
                "Operation": [row.operation.title for row in touched],
                "Before": [row.operation.actual for row in touched],
                "After": [row.operation.desired for row in touched],
                "Now": ["taken back" if row.status == "undone" else row.status for row in touched],
            }
        )
        st.dataframe(
            frame,
            hide_index=True,
            width="stretch",
            height=360,
            column_config={
                "Operation": st.column_config.TextColumn(width="large"),
                "Before": st.column_config.TextColumn(width="medium"),
                "After": st.column_config.TextColumn(width="medium"),
                "Now": st.column_config.TextColumn(width="small"),
            },
        )
    with operations:
        live.table(state.rows)
    with log:
        live.events(state.events)
    told = report.Report(deployment=state.deployment, rows=state.rows, events=state.events)
    st.download_button(
        "Download the report (HTML)", told.html, file_name=f"deployment_{deployment.number}.html", mime="text/html",
        icon=":material/download:", on_click="ignore",
    )  # fmt: skip


def _attempts(found: Material) -> None:
    """Runs that ended badly before, or without, a deployment of their own."""
    bad = [
        one
        for one in runs.latest(found.service.store, found.environment)
        if one.outcome in ("refused", "failed", "died") and one.message
    ]
    if bad:
        with st.expander(f"Runs that did not end well: {len(bad)}"):
            for one in bad:
                st.markdown(f"- {one.asked_at:%Y-%m-%d %H:%M} {plain(f'{one.actor}, {one.order.kind}: {one.message}')}")
