"""The policy set behind a plan: adjust it in forms or as text, see the effect before it is saved, compare versions."""

from typing import Any

import pandas as pd
import streamlit as st

from ms5ops.control import policy_sets
from ms5ops.control.policy_sets import Change
from ms5ops.errors import Ms5opsError
from ms5ops.observe.server import connect_server
from ms5ops.policy.document import PolicySet
from ms5ops.rollout.adoption import Adopted, adopt
from ms5ops.rollout.plan import make_plan
from ms5ops.ui import identity
from ms5ops.ui import rollout_material as material
from ms5ops.ui.messages import ICONS, plain, show_failure
from ms5ops.ui.rollout_material import Material
from ms5ops.ui.rollout_plan import lint_findings, show_lint
from ms5ops.units import instant_text

_SPAN = "An interval of fixed length, such as 7 days or 12 hours"
_SHOWN = 12
HEADINGS = {
    "name": ("Name", None),
    "enabled": ("On", "Off leaves the table, its indexes and the aggregates above it as they are found."),
    "chunk_interval": ("Chunk interval", f"{_SPAN}. For chunks made from then on."),
    "compress_after": ("Compress after", f"{_SPAN}, or never."),
    "drop_after": ("Delete after", f"{_SPAN}, or never. What is older is DELETED for good."),
    "start_offset": ("Refresh back to", f"{_SPAN}, or unbounded: how far back each refresh looks."),
    "end_offset": ("Leave out the last", f"{_SPAN}: what is younger waits until it is whole."),
    "schedule_interval": ("Refresh every", f"{_SPAN}."),
}


def show(found: Material) -> None:
    """The whole of it, in an expander."""
    by = f", chosen by {found.chosen.chosen_by}" if found.chosen.chosen_by else ""
    label = f"Adjust the policy set (now: {found.chosen.name}{by})"
    behind = st.expander(label, icon=":material/tune:", on_change="rerun", key="adjust_open")
    if not behind.open:
        return
    with behind:
        forms, text, database, versions = st.tabs(["Forms", "Text", "From the database", "Versions"])
        with forms:
            _forms(found)
        with text:
            _text(found)
        with database:
            _from_database(found)
        with versions:
            _versions(found)


def _forms(found: Material) -> None:
    off = material.explain_off(found.actor, "edit policies")
    changes: dict[tuple[str, ...], Any] = {}
    for kind, title in (("tables", "Tables"), ("aggregates", "Continuous aggregates")):
        st.markdown(f"**{title}**")
        before = policy_sets.form_rows(found.chosen.policy, kind)
        edited = st.data_editor(
            pd.DataFrame(before), hide_index=True, width="stretch", disabled=True if off else ["name"],
            column_config=_config(kind), key=f"form_{kind}_{found.chosen.number}",
        )  # fmt: skip
        changes |= policy_sets.edits(kind, before, edited.to_dict("records"))  # type: ignore[arg-type]
    if not changes:
        st.caption("Change a cell, and its effect on the plan is shown here before anything is saved.")
        return
    try:
        text = policy_sets.adjusted(found.chosen.text, changes)
    except Ms5opsError as error:
        show_failure(error)
        return
    _effect(found, text, "form", off)


def _config(kind: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for field in ("name", "enabled", *policy_sets.INTERVALS[kind]):
        label, about = HEADINGS[field]
        make = st.column_config.CheckboxColumn if field == "enabled" else st.column_config.TextColumn
        shown[field] = make(label, help=about, required=True)
    return shown


def _text(found: Material) -> None:
    off = material.explain_off(found.actor, "edit policies")
    text = st.text_area(
        "Policy set (TOML)", found.chosen.text, height=420, disabled=off, key=f"text_{found.chosen.number}",
        max_chars=policy_sets.MOST_BYTES,
    )  # fmt: skip
    if text != found.chosen.text:
        _effect(found, text, "text", off)


def _from_database(found: Material) -> None:
    off = material.explain_off(found.actor, "edit policies")
    st.markdown(
        "Write a policy set for the hypertables, policies and continuous aggregates that the schema "
        f"**{plain(found.connected.schema)}** has now: it is where to begin. "
        "What it would still change stands below, before anything is saved."
    )
    key = f"adopted_{found.environment}"
    if st.button("Read the database", icon=":material/database_search:", disabled=off, key=f"read_{key}"):
        try:
            st.session_state[key] = adopt(connect_server(found.connected.database, found.connected.schema))
        except Ms5opsError as error:
            st.session_state.pop(key, None)
            show_failure(error)
    adopted: Adopted | None = st.session_state.get(key)
    if adopted is None:
        return
    if adopted.left_out:
        st.markdown("**Left out, because a policy set has no words for it**")
        _listed([plain(one) for one in adopted.left_out])
    text = st.text_area(
        "Policy set (TOML), to be edited before it is saved", adopted.text, height=420, disabled=off,
        max_chars=policy_sets.MOST_BYTES, key=f"text_{key}_{hash(adopted.text)}",
    )  # fmt: skip
    _effect(found, text, "adopted", off)


def _effect(found: Material, text: str, key: str, off: bool) -> None:
    """What a text would change in the policy set and in the plan; then it can be saved."""
    st.markdown("**What this would change**")
    try:
        policy = policy_sets.parse(text)
        differing = policy_sets.compare(found.chosen.policy, policy)
        now = make_plan(material.state_for(found, found.chosen.text), found.chosen.policy)
        then = make_plan(material.state_for(found, text), policy)
    except Ms5opsError as error:
        show_failure(error)
        return
    _changes(differing)
    old, new = ({one.key: one for one in plan.operations} for plan in (now, then))
    added = [one for one in then.operations if one.key not in old or old[one.key].desired != one.desired]
    gone = [one for one in now.operations if one.key not in new]
    st.markdown(
        f"The plan would have **{len(then.operations)} operations** instead of {len(now.operations)}: "
        f"{len(added)} new or different, {len(gone)} no longer needed."
    )
    marks = {True: ":red[destroys data] ", False: ""}
    _listed(
        [
            f"{marks[one.destroys is not None]}{plain(one.title)}: {plain(one.actual)} → {plain(one.desired)}"
            for one in added
        ]
    )
    _listed([f":gray[no longer: {plain(one.title)}]" for one in gone])
    _objections(found, policy)
    _save(found, text, key, off)


def _objections(found: Material, policy: PolicySet) -> None:
    """What the rules say against it now and did not say before; the rest stands already in step 1."""
    before = {(one.rule, one.subject, one.reason) for one in lint_findings(found, found.chosen.policy)}
    fresh = [
        one
        for one in lint_findings(found, policy)
        if one.severity != "info" and (one.rule, one.subject, one.reason) not in before
    ]
    if fresh:
        st.markdown("**What speaks against it**")
        show_lint(fresh)


def _changes(differing: tuple[Change, ...]) -> None:
    _listed([f"{plain(_where(one.where))}: {plain(one.before)} → **{plain(one.after)}**" for one in differing])
    if not differing:
        st.caption("Nothing that reaches the database differs.")


def _listed(lines: list[str]) -> None:
    """Lines of Markdown as one list, the first dozen of them."""
    st.markdown("\n".join(f"- {line}" for line in lines[:_SHOWN]))
    if len(lines) > _SHOWN:
        st.caption(f"and {len(lines) - _SHOWN} more")


def _where(key: str) -> str:
    """A key as the forms call it: ``metric_hist, Delete after``; as it stands in the text where they do not have it."""
    parts = key.split(".")
    if len(parts) == 3 and parts[0] in policy_sets.INTERVALS and parts[2] in HEADINGS:
        return f"{parts[1]}, {HEADINGS[parts[2]][0]}"
    return key


def _save(found: Material, text: str, key: str, off: bool) -> None:
    comment = st.text_input("What was changed, and why?", max_chars=500, disabled=off, key=f"save_{key}")
    use = st.checkbox(f"Plan {found.environment} by it from now on", value=True, disabled=off, key=f"use_{key}")
    if st.button("Save as a new version", icon=":material/save:", type="primary", disabled=off, key=f"do_save_{key}"):

        def save() -> str:
            actor = identity.actor(touch=True)
            number = found.service.save_policy(actor, found.environment, text, comment, found.chosen.number)
            if use:
                found.service.choose_policy(actor, found.environment, number)
            return f"Saved as version {number}."

        if material.attempt(save):
            st.rerun()


def _versions(found: Material) -> None:
    listed = policy_sets.versions(found.service.store)
    names = {one.number: one for one in listed}
    frame = pd.DataFrame(
        {
            "Version": [one.number for one in listed],
            "In force": [one.number == found.chosen.number for one in listed],
            "Author": [one.author for one in listed],
            "Saved": [instant_text(one.created_at) for one in listed],
            "Based on": ["" if one.number == 0 else str(one.based_on or 0) for one in listed],
            "Comment": [one.comment for one in listed],
        }
    )
    st.dataframe(frame, hide_index=True, width="stretch")
    off = material.explain_off(found.actor, "edit policies")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.selectbox("Use a version", list(names), format_func=lambda one: names[one].name)
        pressed = st.button("Plan by it", disabled=off or number == found.chosen.number, icon=":material/check:")
    if pressed:

        def choose() -> str:
            found.service.choose_policy(identity.actor(touch=True), found.environment, number)
            return f"{found.environment} is planned by {names[number].name}."

        if material.attempt(choose):
            st.rerun()
    if len(listed) < 2:
        st.caption("Saved versions can be compared here.")
        return
    with st.container(horizontal=True):
        before = st.selectbox("Compare", list(names), index=1, format_func=lambda one: names[one].name, key="cmp_a")
        after = st.selectbox("with", list(names), index=0, format_func=lambda one: names[one].name, key="cmp_b")
    texts = [policy_sets.text_of(found.service.store, one) for one in (before, after)]
    found_changes = policy_sets.compare(*(policy_sets.parse(text) for text in texts))
    if found_changes:
        _changes(found_changes)
    else:
        st.info("Nothing differs between these two.", icon=ICONS["info"])
