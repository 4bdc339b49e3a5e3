"""Links from page to page, by the name of the page's file."""

import streamlit as st

from ms5ops import paths

TITLES = {
    "scorecard": "Scorecard",
    "alerts": "Alerts",
    "storage": "Storage",
    "compression": "Compression",
    "jobs": "Jobs",
    "aggregates": "Aggregates",
    "indexes": "Indexes",
    "health": "Health",
    "benchmarks": "Benchmarks",
    "compare": "Compare",
    "rollout": "Rollout",
    "audit": "Audit log",
}


def page_link(name: str, label: str | None = None, parameters: dict[str, str] | None = None) -> None:
    """A link to ``pages/<name>.py``, with ``parameters`` in its address; nothing where there is no such page."""
    if name in TITLES:
        st.page_link(
            paths.PROJECT / "pages" / f"{name}.py", label=label or TITLES[name], icon=":material/arrow_forward:",
            query_params=parameters,
        )  # fmt: skip
