"""Step 1 of a rollout: what would change, as a person reads it, what speaks against it, and keeping it."""

import pandas as pd
import streamlit as st

from ms5ops.control.plans import KeptPlan
from ms5ops.observe.absence import OTHER_TABLES
from ms5ops.policy.document import PolicySet
from ms5ops.policy.lint import LintFinding, lint
from ms5ops.rollout.check import Check
from ms5ops.rollout.measure import measure
from ms5ops.rollout.operation import PHASES, Operation
from ms5ops.rollout.plan import Plan, risk
from ms5ops.ui import identity
from ms5ops.ui import rollout_material as material
from ms5ops.ui.messages import COLOURS, ICONS, plain
from ms5ops.ui.panels import empty_panel
from ms5ops.ui.rollout_material import Material
from ms5ops.ui.tables import Column, show_table
from ms5ops.units import MISSING, bytes_text, duration_text, instant_text

COLUMNS = (
    Column("phase", "Phase"),
    Column("title", "What is done"),
    Column("risk", "Risk", about="What it destroys, whether it can be undone, and whom it holds up meanwhile."),
    Column("actual", "Now"),
    Column("desired", "Then"),
    Column("table", "On"),
    Column("lock", "Lock", about="The strongest lock it takes, and for how long."),
    Column("seconds", "Estimate", "seconds", "How long it will take; empty: a moment, or not known."),
    Column("extra_bytes", "Extra disk", "bytes", "Disk that it needs while it runs."),
)
SEVERITIES = {"error": "critical", "warning": "warning", "info": "info"}
VERDICTS = {"passed": ("check_circle", "green"), "failed": ("error", "red"), "could not check": ("help", "gray")}


def show(found: Material) -> None:
    """The whole step."""
    _choice(found)
    if found.misfit is not None:
        empty_panel(OTHER_TABLES, plain(found.misfit.happened), plain(found.misfit.next_step))
        return
    if found.plan.is_empty:
        _nothing(found)
    else:
        _summary(found)
        _operations(found)
    _objections(found)
    if found.kept is None and not found.plan.is_empty:
        _keep(found)


def _choice(found: Material) -> None:
    numbers: list[int | None] = [None, *(one.number for one in found.every_kept)]
    by_number = {one.number: one for one in found.every_kept}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = st.selectbox(
            "Plan",
            numbers,
            index=numbers.index(found.kept.number if found.kept else None),
            format_func=lambda number: "As of now, not kept" if number is None else _kept_text(by_number[number]),
            help="A plan that is kept can be tried, approved and applied exactly as it was read.",
        )
        if found.kept is None:
            st.multiselect(
                "Phases",
                list(PHASES),
                format_func=lambda phase: f"{phase} {PHASES[phase]}",
                placeholder="all five",
                key="phases",
                help="Leave phases out for now; what needs a phase that is left out is left out too.",
            )
    if wanted != (found.kept.number if found.kept else None):
        material.show_plan(wanted)
        st.rerun()
    if found.kept is not None:
        _about_kept(found, found.kept)


def _kept_text(kept: KeptPlan) -> str:
    comment = f": {kept.comment[:60]}" if kept.comment else ""
    count = f"{kept.operations} operation{'' if kept.operations == 1 else 's'}"
    return f"Plan {kept.number}{comment} ({count}, {kept.author}, {instant_text(kept.created_at)})"


def _about_kept(found: Material, kept: KeptPlan) -> None:
    if found.applied is not None:
        st.info(
            f"**Plan {kept.number} became {found.applied.name}** ({found.applied.status}). "
            "Choose “As of now” for what is left to do.",
            icon=":material/task_alt:",
        )
    elif found.changed:
        listed = "; ".join(plain(one) for one in found.changed)
        st.warning(
            f"**The database has changed since plan {kept.number} was made**, so it cannot be applied: {listed}. "
            "Choose “As of now” and keep a new plan.",
            icon=ICONS["warning"],
        )


def _summary(found: Material) -> None:
    operations = found.plan.operations
    seconds = [one.estimate.seconds for one in operations if one.estimate.seconds is not None]
    largest = max((one.estimate.extra_bytes or 0 for one in operations), default=0)
    destroying = sum(one.destroys is not None for one in operations)
    stays = sum(not one.is_reversible for one in operations)
    with st.container(horizontal=True):
        st.metric(
            "Operations", len(operations), border=True, width="stretch",
            help="Steps of the plan: each with its statements, lock, verification and way back.",
        )  # fmt: skip
        st.metric(
            "Objects", len({_table(found.plan, one) for one in operations}), border=True, width="stretch",
            help="Tables, indexes, aggregates, views and settings that the operations change or make.",
        )  # fmt: skip
        st.metric(
            "Destroy data", destroying, border=True, width="stretch",
            help="Operations after which rows are gone for good: retention policies, once they run.",
        )  # fmt: skip
        st.metric("Irreversible", stays, border=True, width="stretch", help="A rollback leaves these as they are.")
        st.metric(
            "Takes about", duration_text(sum(seconds)) if seconds else "moments", border=True, width="stretch",
            help="The sum of what can be estimated: building, compressing, filling.",
        )  # fmt: skip
        st.metric(
            "Extra disk", bytes_text(largest) if largest else MISSING, border=True, width="stretch",
            help="The most that one operation needs while it runs.",
        )  # fmt: skip


def _nothing(found: Material) -> None:
    left_out = f" in phase {', '.join(map(str, found.plan.phases))}" if len(found.plan.phases) < len(PHASES) else ""
    st.success(f"**Nothing is to do{left_out}:** the database is as the policy set wants it.", icon=ICONS["ok"])


def _operations(found: Material) -> None:
    plan = found.plan
    tables = sorted({_table(plan, one) for one in plan.operations})
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.multiselect(
            "Only these", tables, placeholder="all tables, indexes, aggregates and settings", key="plan_tables"
        )
        only = st.toggle("Only what destroys data or cannot be undone", key="plan_grave")
    shown = [
        one
        for one in plan.operations
        if (not chosen or _table(plan, one) in chosen) and (not only or one.destroys or not one.is_reversible)
    ]
    if not shown:
        st.caption("No operation of the plan is of that kind.")
        return
    show_table(operations_frame(plan, shown), COLUMNS, key="plan", height=min(460, 38 + 35 * len(shown)))
    titles = {one.key: f"{one.phase}. {one.title}" for one in shown}
    key = st.selectbox(
        "Look behind an operation", list(titles), index=None, format_func=titles.__getitem__,
        placeholder="Choose one to see its SQL, how it is proved and how it is undone", key="plan_behind",
    )  # fmt: skip
    if key is not None:
        _behind(next(one for one in shown if one.key == key))
    if plan.advice:
        with st.expander(f"For the administrator: {len(plan.advice)} settings that the console cannot change"):
            for one in plan.advice:
                st.markdown(f"- {plain(one.title)}: {plain(one.actual)} → {plain(one.desired)}")
    if plan.notes:
        with st.expander(f"Notes: {len(plan.notes)}"):
            for note in plan.notes:
                st.markdown(f"- {plain(note.target)}: {plain(note.text)}")


def operations_frame(plan: Plan, operations: list[Operation]) -> pd.DataFrame:
    """One row per operation: the names of COLUMNS; seconds and bytes as numbers."""
    return pd.DataFrame(
        {
            "phase": [f"{one.phase} {PHASES[one.phase]}" for one in operations],
            "table": [_table(plan, one) for one in operations],
            "title": [one.title for one in operations],
            "actual": [one.actual for one in operations],
            "desired": [one.desired for one in operations],
            "risk": [risk(one) for one in operations],
            "lock": [
                "none" if one.lock.mode == "none" else f"{one.lock.mode} ({one.lock.duration})" for one in operations
            ],
            "seconds": pd.array([one.estimate.seconds for one in operations], dtype="Float64"),
            "extra_bytes": pd.array([one.estimate.extra_bytes or None for one in operations], dtype="Float64"),
        }
    )


def _table(plan: Plan, operation: Operation) -> str:
    return operation.target.removeprefix(f"{plan.state.schema}.")


def _behind(one: Operation) -> None:
    with st.container(border=True):
        if one.destroys:
            st.markdown(f":red[:material/delete_forever: **Destroys data:**] {plain(one.destroys)}")
        sides = st.grid(columns=2, min_column_width=360)
        left, right = sides.container(), sides.container()
        with left:
            st.caption("What runs")
            steps = f"-- Piece by piece, with a commit after each: {one.steps.kind}\n" if one.steps else ""
            st.code(steps + ";\n".join(one.statements) or "-- nothing", language="sql", wrap_lines=True)
        with right:
            st.caption("How it is undone")
            if one.inverse.impossible:
                st.markdown(f":orange[Not at all:] {plain(one.inverse.impossible)}")
            else:
                st.code(";\n".join(one.inverse.statements) or "-- nothing", language="sql", wrap_lines=True)
            if one.inverse.loses:
                st.markdown(f":orange[Lost by undoing it:] {plain(one.inverse.loses)}")
            st.caption(f"How it is proved: this gives {plain(one.verification.expected)}")
            st.code(one.verification.sql.strip(), language="sql", wrap_lines=True)


def lint_findings(found: Material, policy: PolicySet | None = None) -> list[LintFinding]:
    """What the rules say of a policy set (None: the plan's), with this server's figures."""
    settings = found.service.settings
    window = settings.environments[found.environment].maintenance_window if found.environment in (
        settings.environments
    ) else None  # fmt: skip
    return lint(policy or found.policy, measure(found.page.overview, window))


def _objections(found: Material) -> None:
    findings = lint_findings(found)
    grave = [one for one in findings if one.severity != "info"]
    sides = st.grid(columns=2, min_column_width=360)
    left, right = sides.container(), sides.container()
    with left:
        label = f"Policy set: {len(grave)} warning{'' if len(grave) == 1 else 's'}" if grave else "Policy set: fine"
        behind = st.expander(label, icon=":material/rule:", on_change="rerun", key="lint_open")
        if behind.open:
            with behind:
                show_lint(findings)
    with right:
        behind = st.expander(
            "Checks before a deployment", icon=":material/fact_check:", on_change="rerun", key="pre_open"
        )
        if behind.open:
            with behind:
                show_checks(material.measure_checks(found))


def show_lint(findings: list[LintFinding]) -> None:
    """Findings of lint, gravest first."""
    if not findings:
        st.markdown("Nothing to object to.")
    for one in findings:
        severity = SEVERITIES[one.severity]
        colour, icon = COLOURS[severity], ICONS[severity]  # type: ignore[index]  # the words of SEVERITIES
        st.markdown(f":{colour}[{icon}] **{plain(one.subject)}** {plain(one.reason)}")
        st.caption(plain(f"{one.key} ({one.source})"))


def show_checks(checks: tuple[Check, ...]) -> None:
    """Checks with what was found; evidence and advice where they did not pass."""
    for one in checks:
        icon, colour = VERDICTS[one.verdict]
        st.markdown(f":{colour}[:material/{icon}:] **{plain(one.title)}** {plain(one.found)}")
        if one.verdict != "passed":
            st.caption(plain(f"Expected: {one.expected}. {one.advice}"))


def _keep(found: Material) -> None:
    st.subheader("Keep this plan", anchor=False)
    off = material.explain_off(found.actor, "dry run")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        comment = st.text_input(
            "What is it for?", max_chars=200, disabled=off, key="keep_comment",
            placeholder="for whoever approves it, and for the history",
        )  # fmt: skip
        pressed = st.button("Keep as a plan", type="primary", icon=":material/bookmark_add:", disabled=off)
    if pressed and material.attempt(lambda: _kept_now(found, comment)):
        st.rerun()


def _kept_now(found: Material, comment: str) -> str:
    kept = found.service.keep_plan(
        identity.actor(touch=True), found.environment, phases=found.phases,
        comment=comment, shown=found.plan.state_hash,
    )  # fmt: skip
    material.show_plan(kept.number)
    return f"Kept as plan {kept.number}. Next: try it in a dry run."
