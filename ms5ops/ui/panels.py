"""A panel: one chart with the sentence that says what it shows, and the table behind it."""

from collections.abc import Sequence
from typing import Any, cast

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.elements.plotly_chart import PlotlyState

from ms5ops.ui.tables import Column, show_table


def chart_panel(
    title: str,
    about: str,
    figure: go.Figure,
    table: pd.DataFrame,
    columns: Sequence[Column],
    *,
    key: str,
    explain: str | None = None,
    selectable: bool = False,
) -> list[Any]:
    """Draw ``figure`` under ``title``, with ``about`` (what it shows, time span, origin) below the title.

    ``explain`` defines the numbers (definition, source query, unit) behind the title's ``?``. The table is
    built only when it is asked for: it costs nothing on a page load. ``key`` names the CSV file, too.
    Returns the ``customdata`` of the points that were clicked, where the chart is ``selectable``.
    """
    with st.container(border=True, key=f"{key}_panel"):
        st.markdown(f"**{title}**", help=explain)
        st.caption(about)
        chart = st.plotly_chart(
            figure,
            width="stretch",
            config={"displaylogo": False, "displayModeBar": False, "responsive": True},
            key=f"{key}_chart",
            alt=f"{title}. {about}",
            on_select="rerun" if selectable else "ignore",
            selection_mode="points",
        )
        _table_behind(table, columns, key)
    if not selectable:
        return []
    return [point["customdata"] for point in cast("PlotlyState", chart).selection.points if "customdata" in point]


@st.fragment
def _table_behind(table: pd.DataFrame, columns: Sequence[Column], key: str) -> None:
    behind = st.expander("Table", type="compact", on_change="rerun", key=f"{key}_open")
    if behind.open:
        with behind:
            show_table(table, columns, key=key)


def html_panel(
    title: str, about: str, html: str, table: pd.DataFrame, columns: Sequence[Column], *, key: str, explain: str
) -> None:
    """As ``chart_panel``, for a diagram in HTML (whose text from elsewhere is escaped)."""
    with st.container(border=True, key=f"{key}_panel"):
        st.markdown(f"**{title}**", help=explain)
        st.caption(about)
        st.html(html)
        _table_behind(table, columns, key)


def empty_panel(title: str, why: str, next_step: str) -> None:
    """What stands where a chart will be once there is something to show: why not yet, and what to do."""
    with st.container(border=True):
        st.markdown(f"**{title}**")
        st.markdown(f":gray[{why}]")
        st.markdown(f":material/arrow_forward: {next_step}")
