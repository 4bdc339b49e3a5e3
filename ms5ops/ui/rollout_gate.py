"""Steps 2 and 3 of a rollout: the dry run, and the approval by somebody else."""

import pandas as pd
import streamlit as st

from ms5ops.control import approvals, runs
from ms5ops.control.approvals import Asked, Gate
from ms5ops.control.plans import KeptPlan, KeptTrial
from ms5ops.control.runs import Options, Order
from ms5ops.ui import identity
from ms5ops.ui import rollout_material as material
from ms5ops.ui.messages import ICONS, plain
from ms5ops.ui.rollout_material import Material
from ms5ops.ui.tables import Column, show_table
from ms5ops.units import duration_text, instant_text

FACTS = {"met": ("check_circle", "green"), "waived": ("edit_note", "orange"), "not met": ("cancel", "red")}
TRIAL_COLUMNS = (
    Column("result", "Result"),
    Column("title", "Operation"),
    Column("seconds", "Took", "seconds"),
    Column("reason", "Why"),
)


def needs_kept(found: Material) -> KeptPlan | None:
    """The kept plan; where there is none, how to come to one stands there instead."""
    if found.kept is not None:
        return found.kept
    if found.every_kept:
        st.info(
            "Choose a kept plan in step 1, or keep the plan of now there. What is tried, approved and applied is "
            "exactly the plan that was read.",
            icon=ICONS["info"],
        )
        latest = found.every_kept[0]
        if st.button(f"Take plan {latest.number} of {latest.author}", icon=":material/bookmark:"):
            material.show_plan(latest.number)
            st.rerun()
    else:
        st.info("Keep a plan in step 1 first: it is then tried, approved and applied exactly so.", icon=ICONS["info"])
    return None


def dry_run(found: Material) -> None:
    """Step 2."""
    kept = needs_kept(found)
    if kept is None:
        return
    st.markdown(
        f"A dry run does all of plan {kept.number} that can be undone in **one transaction, and rolls it back**. "
        "Its locks are held up to a minute meanwhile; nothing else remains."
    )
    off = material.explain_off(found.actor, "dry run")
    reason = window_reason(found, "dry", off)
    busy = found.run is not None
    if st.button(
        "Try it", type="primary" if found.trial is None else "secondary", icon=":material/science:",
        disabled=off or busy or bool(found.changed),
    ):  # fmt: skip
        options = Options(outside_window=reason)
        material.start(found, Order("dry run", found.environment, plan=kept.id, options=options))
    last = next((one for one in runs.latest(found.service.store, found.environment) if one.order.plan == kept.id), None)
    if last and last.order.kind == "dry run" and last.outcome in ("refused", "died", "failed") and last.message:
        st.warning(f"**The last dry run ended badly.** {plain(last.message)}", icon=ICONS["warning"])
    if found.trial is not None:
        _trial(found.trial)


def _trial(trial: KeptTrial) -> None:
    counts = {name: sum(one.result == name for one in trial.results) for name in ("works", "fails", "not tried")}
    text = f"{counts['works']} work, {counts['fails']} fail, {counts['not tried']} could not be tried"
    about = (
        f"Tried by {trial.tried_by} at {instant_text(trial.tried_at)}; locks were held for up to "
        f"{duration_text(trial.locked_seconds)}."
    )
    if trial.failed:
        st.error(f"**{text}.** {plain(about)}", icon=ICONS["critical"])
    else:
        st.success(f"**{text}.** {plain(about)}", icon=ICONS["ok"])
    order = {"fails": 0, "not tried": 1, "works": 2}
    results = sorted(trial.results, key=lambda one: order[one.result])
    titles = {one.key: f"“{one.title}”" for one in sorted(results, key=lambda one: -len(one.key))}
    frame = pd.DataFrame(
        {
            "result": [one.result for one in results],
            "title": [one.title for one in results],
            "seconds": pd.array([one.seconds if one.result == "works" else None for one in results], dtype="Float64"),
            "reason": [_with_titles(one.reason, titles) for one in results],
        }
    )
    show_table(frame, TRIAL_COLUMNS, key="dry_run", height=360)


def _with_titles(reason: str, titles: dict[str, str]) -> str:
    """A reason with operations called as people call them; ``titles`` by key, the longest key first."""
    for key, title in titles.items():
        reason = reason.replace(key, title)
    return reason


def approve(found: Material) -> None:
    """Step 3."""
    kept = needs_kept(found)
    if kept is None:
        return
    if not found.connected.protected:
        st.success(
            f"**No approval is needed:** {plain(found.environment)} is not a protected environment.", icon=ICONS["ok"]
        )
        return
    asked = found.service.asked(kept)
    gate = gate_of(found, asked)
    st.markdown(
        f"{plain(found.environment)} is protected: an operator other than **{plain(kept.author)}**, who made plan "
        f"{kept.number}, has to approve exactly it. An approval stands for "
        f"{found.service.settings.access.approval_hours} hours and one apply, and is void once the database changes."
    )
    show_gates((gate,))
    if gate.fact == "met":
        if st.button("Withdraw the approval", icon=":material/undo:", disabled=found.actor is None):
            _withdraw(found, kept)
    else:
        _approve_form(found, kept)
    history(found, asked)


def _approve_form(found: Material, kept: KeptPlan) -> None:
    off = material.explain_off(found.actor, "approve")
    own = found.actor is not None and approvals.same_person(
        found.actor.name, found.actor.provider, kept.author, kept.provider
    )
    if own:
        st.caption(":material/lock: You made this plan: somebody else has to look at it.")
    if found.trial is None:
        st.caption("It has not been tried in a dry run yet.")
    comment = st.text_input("What did you look at?", max_chars=500, disabled=off or own, key="approve_comment")
    if st.button(
        f"Approve plan {kept.number}", type="primary", icon=":material/verified_user:",
        disabled=off or own or bool(found.changed),
    ):  # fmt: skip

        def work() -> str:
            found.service.approve_plan(identity.actor(touch=True), kept, comment)
            return f"Plan {kept.number} is approved."

        if material.attempt(work):
            st.rerun()


def _withdraw(found: Material, kept: KeptPlan) -> None:
    def work() -> str:
        found.service.withdraw(identity.actor(touch=True), kept)
        return f"The approval of plan {kept.number} is withdrawn."

    if material.attempt(work):
        st.rerun()


def history(found: Material, asked: Asked) -> None:
    """Who approved, when, until when, and what became of it."""
    listed = approvals.approvals(found.service.store, asked.subject)
    if not listed:
        return
    with st.expander(f"All approvals: {len(listed)}"):
        for one in listed:
            withdrawn = f"; withdrawn by {one.withdrawn_by}" if one.withdrawn_at else ""
            withdrawn += f"; used {instant_text(one.used_at)}" if one.used_at else ""
            comment = f": {one.comment}" if one.comment else ""
            st.markdown(
                plain(
                    f"{instant_text(one.approved_at)}: {one.approver}{comment} (until {instant_text(one.expires_at)}"
                    f"{withdrawn})"
                )
            )


def gate_of(found: Material, asked: Asked) -> Gate:
    """The approval's gate."""
    return found.service.approval_gate(found.connected, asked)


def show_gates(gates: tuple[Gate, ...]) -> None:
    """One line per condition: met or not, and what opens it."""
    for one in gates:
        icon, colour = FACTS[one.fact]
        st.markdown(f":{colour}[:material/{icon}:] **{plain(one.title)}:** {plain(one.text)}")
        if one.fact == "not met" and one.next_step:
            st.caption(plain(one.next_step))


def window_reason(found: Material, key: str, off: bool) -> str | None:
    """The reason to work outside the maintenance window; not asked for while it is open."""
    gate = found.service.gates(found.connected, None, None)[0]
    if gate.fact == "met":
        return None
    st.warning(
        f"**The maintenance window is closed** ({plain(found.connected.maintenance_window)}).", icon=ICONS["warning"]
    )
    reason = st.text_input(
        "Reason to work outside it (it is recorded)", max_chars=300, disabled=off, key=f"window_{key}"
    )
    return reason.strip() or None
