"""Where to begin: what the overview of the sandbox offers to somebody who opens it for the first time."""

import streamlit as st

from ms5ops.ui.links import page_link
from ms5ops.ui.readings import Readings

BEFORE_PHASE_4 = (
    "This is a plant as it is found before Phase 4, with simulated data. Whatever is done here changes nothing else.",
    {
        "rollout": "See what Phase 4 would change, and try it",
        "storage": "See how fast storage grows without it",
        "benchmarks": "Measure how fast the questions are answered",
        "scorecard": "See what will be judged, and by what",
    },
)
IN_PLACE = (
    "This is a plant with Phase 4 in place, with simulated data. Whatever is done here changes nothing else.",
    {
        "scorecard": "See what was promised, and what is measured",
        "storage": "See how storage grows, and where it goes",
        "compare": "See what got faster, and how sure that is",
        "rollout": "Change a policy, and see the plan for it",
    },
)


def show(page: Readings) -> None:
    """Four pages to begin with, fitting the sandbox's state; nothing on a server of one's own."""
    if page.connected.origin != "simulated":
        return
    in_place = any(job.is_policy for job in page.overview.jobs.found(()))
    about, steps = IN_PLACE if in_place else BEFORE_PHASE_4
    with st.expander("New here? Where to begin", icon=":material/explore:", expanded=True):
        st.markdown(about)
        with st.grid(columns="auto", min_column_width=260, gap="small", key="first_steps"):
            for name, label in steps.items():
                page_link(name, label)
        st.caption(
            "Starting a benchmark or a rollout asks for a sign-in: as admin, with the password that the terminal "
            "showed at the first start. Your own server: README.md, “Your own server”."
        )
