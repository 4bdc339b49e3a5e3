"""Step 4 of a rollout: apply it, or go on with what was paused or failed."""

import streamlit as st

from ms5ops.control import approvals
from ms5ops.control.approvals import Gate
from ms5ops.control.plans import KeptPlan
from ms5ops.control.runs import Options, Order
from ms5ops.rollout.journal import Deployment
from ms5ops.ui import identity, rollout_measure
from ms5ops.ui import rollout_gate as gate
from ms5ops.ui import rollout_material as material
from ms5ops.ui.messages import ICONS, plain
from ms5ops.ui.rollout_material import Material


def show(found: Material) -> None:
    """The whole step."""
    if found.run is not None:
        st.info("Something is at work on this environment; its progress stands above.", icon=ICONS["info"])
        return
    if found.open_deployment is not None:
        _go_on(found, found.open_deployment)
        return
    kept = gate.needs_kept(found)
    if kept is None:
        return
    if found.applied is not None:
        st.success(
            f"**Plan {kept.number} became {found.applied.name}**, which is {found.applied.status}.", icon=ICONS["ok"]
        )
        return
    _apply(found, kept)


def _apply(found: Material, kept: KeptPlan) -> None:
    off = material.explain_off(found.actor, "apply")
    reason = gate.window_reason(found, "apply", off)
    gates: tuple[Gate, ...] = (
        approvals.fresh_gate(found.changed),
        *found.service.gates(found.connected, found.service.asked(kept), reason),
    )
    gate.show_gates(gates)
    if found.trial is None:
        st.caption(":material/info: It has not been tried in a dry run (step 2).")
    elif found.trial.failed:
        st.warning(f"**{len(found.trial.failed)} operations failed in the dry run.**", icon=ICONS["warning"])
    no_backup = _backup(found, off)
    rollout_measure.offer(found, "before")
    closed = any(one.fact == "not met" for one in gates)
    with st.form("apply", border=False):
        typed = st.text_input(
            f"Type the environment's name, {plain(found.environment)}, to apply plan {kept.number}",
            max_chars=60, disabled=off or closed, autocomplete="off",
        )  # fmt: skip
        pressed = st.form_submit_button(
            f"Apply {kept.operations} operations", type="primary", icon=":material/play_arrow:", disabled=off or closed
        )
    if pressed:
        options = Options(outside_window=reason, no_backup=no_backup)
        material.start(found, Order("apply", found.environment, plan=kept.id, options=options), typed.strip())


def _backup(found: Material, off: bool) -> str | None:
    if not found.connected.protected:
        return None
    if not st.toggle("Go without the backup (pg_dump) that is made first", disabled=off, key="skip_backup"):
        return None
    reason = st.text_input(
        "Reason to go without a backup (it is recorded)", max_chars=300, disabled=off, key="no_backup"
    )
    if not reason.strip():
        st.caption("Without a reason the backup is made.")
    return reason.strip() or None


def _go_on(found: Material, deployment: Deployment) -> None:
    if deployment.direction == "rollback":
        st.info(
            f"{material.standing(deployment)}. Finish that in step 6, or give it up, which leaves all as it is now.",
            icon=ICONS["info"],
        )
        off = material.explain_off(found.actor, "roll back")
        if st.button("Give it up", icon=":material/stop:", disabled=off, key="give_up_back"):
            _given_up(found, deployment)
        return
    st.markdown(
        f"**{deployment.name.capitalize()}** of {plain(deployment.actor)} has done {deployment.done} of "
        f"{deployment.operations} operations. It can go on from there, be taken back (step 6), or be given up, which "
        "leaves what is done."
    )
    off = material.explain_off(found.actor, "apply")
    reason = gate.window_reason(found, "resume", off)
    with st.form("resume", border=False):
        typed = st.text_input(
            f"Type the environment's name, {plain(found.environment)}, to go on", max_chars=60, disabled=off,
            autocomplete="off",
        )  # fmt: skip
        with st.container(horizontal=True):
            go_on = st.form_submit_button("Go on", type="primary", icon=":material/play_arrow:", disabled=off)
            give_up = st.form_submit_button("Give it up", icon=":material/stop:", disabled=off)
    if go_on:
        options = Options(outside_window=reason)
        order = Order("resume", found.environment, deployment=str(deployment.id), options=options)
        material.start(found, order, typed.strip())
    if give_up:
        _given_up(found, deployment)


def _given_up(found: Material, deployment: Deployment) -> None:
    if material.attempt(lambda: _give_up(found, deployment)):
        material.forget()
        st.rerun()


def _give_up(found: Material, deployment: Deployment) -> str:
    actor = identity.actor(touch=True)
    found.service.ask(actor, found.environment, str(deployment.id), "cancel")
    return f"{deployment.name.capitalize()} is given up; what was done stays."
