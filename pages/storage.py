"""Storage: what takes the space, how fast it grows, and how much it will be."""

import streamlit as st

from ms5ops.ui import shell
from ms5ops.ui import storage_parts as parts

page = shell.begin("Storage", "How much space the data take, how fast that grows, and when a limit will be reached.")
found = parts.material(page)
if found is None:
    st.stop()
parts.verdict(found)
parts.key_figures(found)
parts.forecast(found)

TABS = {
    "Growth": parts.growth,
    "Stored and uncompressed": parts.cumulated,
    "Measured": parts.measured,
    "By table": parts.tables,
    "Everything": parts.tree,
}
st.subheader("Where it comes from", anchor=False)
for tab, part in zip(
    st.tabs(list(TABS), on_change="rerun", key="tab", bind="query-params"), TABS.values(), strict=True
):
    if tab.open:
        with tab:
            part(found)
