"""Steps 5 and 6 of a rollout: what came of it, with evidence, and the way back."""

import streamlit as st

from ms5ops.control.runs import Options, Order
from ms5ops.control.site import Site
from ms5ops.errors import Ms5opsError
from ms5ops.observe.server import connect_server
from ms5ops.rollout.check import Check, worst
from ms5ops.rollout.journal import Deployment, Who
from ms5ops.rollout.operation import PHASES
from ms5ops.rollout.postcheck import postchecks
from ms5ops.rollout.way import Way, find_way
from ms5ops.ui import identity, rollout_measure
from ms5ops.ui import rollout_gate as gate
from ms5ops.ui import rollout_material as material
from ms5ops.ui.messages import ICONS, plain, show_failure
from ms5ops.ui.rollout_material import Material
from ms5ops.ui.rollout_plan import VERDICTS
from ms5ops.units import bytes_text, instant_text

BESIDE_PX = 400
"""Two of them stand side by side on a laptop's screen."""
WAY_TTL_S = 20


def verify(found: Material) -> None:
    """Step 5."""
    applied = found.applied
    if applied is None:
        st.info("Nothing was applied yet; what is checked here is the result.", icon=ICONS["info"])
        return
    st.markdown(f"The checks after a deployment, against the database as it is after **{applied.name}**.")
    checks = _post(f"{applied.id}{applied.status}", found)
    bad = [one for one in checks if one.verdict == "failed"]
    unknown = [one for one in checks if one.verdict == "could not check"]
    verdict = worst(checks)
    if verdict == "passed":
        st.success(f"**All {len(checks)} criteria are met.**", icon=ICONS["ok"])
    elif verdict == "failed":
        names = ", ".join(one.title for one in bad)
        st.error(f"**{len(bad)} of {len(checks)} criteria not met:** {plain(names)}.", icon=ICONS["critical"])
    else:
        st.warning(f"**{len(unknown)} of {len(checks)} criteria could not be checked.**", icon=ICONS["warning"])
    for one in checks:
        _criterion(one)
    st.subheader("Before and after", anchor=False)
    rollout_measure.offer(found, "after")
    rollout_measure.compared(found)


def _criterion(one: Check) -> None:
    icon, colour = VERDICTS[one.verdict]
    with st.container(border=one.verdict == "failed"):
        st.markdown(f":{colour}[:material/{icon}:] **{plain(one.title)}:** {plain(one.found)}")
        if one.verdict != "passed":
            st.caption(plain(f"Expected: {one.expected}. {one.advice}"))
        if one.evidence:
            with st.expander("Evidence", type="compact"):
                st.code("\n".join(one.evidence), language=None, wrap_lines=True)


@st.cache_resource(ttl=60, max_entries=8, show_spinner="Checking the result")
def _post(key: str, _found: Material) -> tuple[Check, ...]:
    return postchecks(connect_server(_found.connected.database, _found.connected.schema, _found.policy), _found.policy)


def roll_back(found: Material) -> None:
    """Step 6."""
    begun = [one for one in found.deployments if one.status not in ("rolled back",)]
    if not begun:
        st.info("Nothing was applied that could be taken back.", icon=ICONS["info"])
        return
    if found.run is not None:
        st.info("Something is at work on this environment; its progress stands above.", icon=ICONS["info"])
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox("Deployment", begun, format_func=_named, key="back_deployment")
        phases = st.multiselect(
            "Only these phases", list(PHASES), format_func=lambda phase: f"{phase} {PHASES[phase]}",
            placeholder="all of it", key="back_phases",
        )  # fmt: skip
    conversions = st.toggle("Also make plain tables again of what became hypertables", key="back_conversions")
    way = _way(found, chosen, tuple(phases), conversions)
    if way is not None:
        _show_way(way)
        _go_back(found, way, tuple(phases), conversions)


def _named(one: Deployment) -> str:
    return f"{one.name.capitalize()} of {instant_text(one.started_at)}"  # a label that changes would reset the choice


def _way(found: Material, deployment: Deployment, phases: tuple[int, ...], conversions: bool) -> Way | None:
    """What a rollback would do, found out with the reading role."""
    try:
        return _read_way(
            f"{deployment.id} {deployment.status} {phases} {conversions}",
            found, deployment, phases, conversions,
        )  # fmt: skip
    except Ms5opsError as error:
        show_failure(error)
        return None


# For so short a time that it is not read again while somebody ticks and types; what runs finds its own.
@st.cache_resource(ttl=WAY_TTL_S, max_entries=16, show_spinner="Finding the way back")
def _read_way(key: str, _found: Material, _deployment: Deployment, _phases: tuple[int, ...], _conversions: bool) -> Way:
    policy, _ = _found.service.policy_of(_found.environment, str(_deployment.id))
    connected = _found.connected
    site = Site(connected, policy, connect_server(connected.database, connected.schema, policy), Who.here())
    return find_way(
        connected.database, _deployment, site.conditions(), phases=_phases or None, conversions=_conversions
    )


def _show_way(way: Way) -> None:
    beside = st.grid(columns=2, min_column_width=BESIDE_PX, key="way_back")
    with beside, st.container(border=True):
        st.markdown(f":green[:material/undo:] **Comes back: {len(way.undone)} operations are undone**")
        lines = [f"- {plain(row.operation.title)}" for row in way.undone]
        st.markdown("\n".join(lines[:8]))
        if len(lines) > 8:
            with st.expander(f"and {len(lines) - 8} more", type="compact"):
                st.markdown("\n".join(lines[8:]))
    with beside, st.container(border=True):
        if way.losses:
            st.markdown(":red[:material/delete_forever:] **Does not come back**")
            st.markdown("\n".join(f"- {plain(line)}" for line in way.losses))
        else:
            st.markdown(":green[:material/check_circle:] **Nothing is lost by it**")
        if way.kept:
            st.markdown("**Stays**")
            st.markdown("\n".join(f"- {plain(row.operation.title)}" for row in way.kept))
        if way.changed:
            st.markdown(":orange[:material/warning:] **Changed by hand since**")
            st.markdown("\n".join(f"- {plain(line)}" for line in way.changed))
        if way.needed_bytes:
            free = (
                bytes_text(way.free_bytes) if way.free_bytes is not None else "an amount that cannot be seen from here"
            )
            st.markdown(f"Decompressing needs {bytes_text(way.needed_bytes)} of disk; free: {free}.")


def _go_back(found: Material, way: Way, phases: tuple[int, ...], conversions: bool) -> None:
    off = material.explain_off(found.actor, "roll back")
    reason = gate.window_reason(found, "back", off)
    asked = found.service.asked_back(way, found.actor)
    gates = found.service.gates(found.connected, asked, reason)
    gate.show_gates(gates)
    if found.connected.protected:
        _approve(found, way)
    accept = not way.losses or st.checkbox("I accept that this does not come back", disabled=off, key="back_loss")
    force = bool(way.changed) and st.checkbox("Take back what was changed by hand, too", disabled=off, key="back_force")
    closed = any(one.fact == "not met" for one in gates) or not accept or (bool(way.changed) and not force)
    with st.form("rollback", border=False):
        typed = st.text_input(
            f"Type the environment's name, {plain(found.environment)}, to roll back {way.deployment.name}",
            max_chars=60, disabled=off or closed, autocomplete="off",
        )  # fmt: skip
        pressed = st.form_submit_button(
            f"Roll back {len(way.undone)} operations", type="primary", icon=":material/undo:", disabled=off or closed
        )
    if pressed:
        options = Options(
            outside_window=reason, phases=phases, conversions=conversions, accept_loss=bool(way.losses), force=force
        )
        order = Order("rollback", found.environment, deployment=str(way.deployment.id), options=options)
        material.start(found, order, typed.strip())


def _approve(found: Material, way: Way) -> None:
    asked = found.service.asked_back(way)
    if not found.actor or material.why_not(found.actor, "approve"):
        return
    if st.button("Approve this rollback for another operator", icon=":material/verified_user:", key="approve_back"):

        def work() -> str:
            found.service.approve_rollback(identity.actor(touch=True), found.environment, asked)
            return f"{asked.name.capitalize()} is approved, for another operator to start."

        if material.attempt(work):
            st.rerun()
    gate.history(found, asked)
