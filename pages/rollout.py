"""Rollout: plan, try, approve, apply, verify and roll back a policy set, safely and in the open."""

import streamlit as st

from ms5ops.ui import (
    rollout_apply,
    rollout_back,
    rollout_gate,
    rollout_head,
    rollout_history,
    rollout_live,
    rollout_plan,
    rollout_policy,
    shell,
)
from ms5ops.ui import rollout_material as material

page = shell.begin(
    "Rollout", "Bring the database to the policy set: plan, try, approve, apply, verify, or take it back."
)
found = material.read(page)
if found is None:
    st.stop()
material.news()
rollout_head.show(found)
rollout_live.strip(found)

STEPS = {
    "1 Plan": rollout_plan.show,
    "2 Dry run": rollout_gate.dry_run,
    "3 Approve": rollout_gate.approve,
    "4 Apply": rollout_apply.show,
    "5 Verify": rollout_back.verify,
    "6 Roll back": rollout_back.roll_back,
    "7 History": rollout_history.show,
}
for tab, step in zip(
    st.tabs(list(STEPS), on_change="rerun", key="step", bind="query-params"), STEPS.values(), strict=True
):
    if tab.open:
        with tab:
            step(found)
            if step is rollout_plan.show:
                rollout_policy.show(found)
