"""Where to begin: what the overview of the sandbox offers to somebody who opens it for the first time."""

import streamlit as st

from ms5ops.ui import identity
from ms5ops.ui.links import page_link
from ms5ops.ui.readings import Readings

BEFORE_PHASE_4 = (
    "This is a simulated plant as it is found before Phase 4. Whatever is done here changes nothing else.",
    {
        "rollout": "Rollout: plan and try it",
        "storage": "Storage: how it grows now",
        "benchmarks": "Benchmarks: how fast it is",
        "scorecard": "Scorecard: what is judged",
    },
)
IN_PLACE = (
    "This is a simulated plant with Phase 4 in place. Whatever is done here changes nothing else.",
    {
        "scorecard": "Scorecard: what it brings",
        "storage": "Storage: how it grows",
        "compare": "Compare: what got faster",
        "rollout": "Rollout: change a policy",
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
        with st.grid(columns="auto", min_column_width=200, gap="small", key="first_steps"):
            for name, label in steps.items():
                page_link(name, label)
        sign_in = "To start something, sign in as admin with the password that the terminal showed at the first start. "
        st.caption(
            ("" if identity.is_signed_in() else sign_in) + "To read a server of your own: README.md, “Your own server”."
        )
