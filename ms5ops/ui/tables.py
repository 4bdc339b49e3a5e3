"""Tables as people read them: headings with units, numbers formatted, CSV with the exact values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
import streamlit as st

from ms5ops.units import MISSING

Unit = Literal["text", "count", "bytes", "ratio", "percent", "seconds", "instant", "yes/no"]


@dataclass(frozen=True)
class Column:
    """A column to show: its name in the frame, its heading, its unit, and what it means (the ``?`` of the heading).

    ``percent`` columns hold shares (1.0 is all of it), ``bytes`` bytes, ``seconds`` seconds, ``instant``
    aware timestamps.
    """

    name: str
    heading: str
    unit: Unit = "text"
    about: str | None = None


def show_table(frame: pd.DataFrame, columns: Sequence[Column], *, key: str, height: int | None = None) -> None:
    """Show ``frame``'s ``columns`` and a button that downloads them as CSV named ``<key>.csv``.

    The CSV holds plain numbers under headings that carry the unit (``Size (bytes)``), not the formatted text.
    """
    chosen = frame[[column.name for column in columns]]
    st.dataframe(
        chosen,
        column_config={column.name: _config(column) for column in columns},
        hide_index=True,
        placeholder=MISSING,
        width="stretch",
        height=height or "auto",
        key=f"{key}_table",
    )
    st.download_button(
        "Download as CSV",
        data=lambda: csv_text(chosen, columns),
        file_name=f"{key}.csv",
        mime="text/csv",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
        key=f"{key}_csv",
    )


def csv_text(frame: pd.DataFrame, columns: Sequence[Column]) -> str:
    """``frame`` as CSV: one column each of ``columns``, the unit in the heading, instants in ISO 8601."""
    return frame.rename(columns={column.name: csv_heading(column) for column in columns}).to_csv(
        index=False, date_format="%Y-%m-%dT%H:%M:%S%z"
    )


def csv_heading(column: Column) -> str:
    """The heading with its unit, where it has one."""
    units = {"bytes": "bytes", "seconds": "s", "percent": "share", "ratio": "x", "instant": "UTC"}
    return f"{column.heading} ({units[column.unit]})" if column.unit in units else column.heading


def _config(column: Column) -> Any:
    make = st.column_config
    common: dict[str, Any] = {"label": column.heading, "help": column.about}
    if column.unit == "instant":
        return make.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss", timezone="UTC", **common)
    if column.unit == "yes/no":
        return make.CheckboxColumn(**common)
    formats = {
        "bytes": "bytes",
        "percent": "percent",
        "count": "localized",
        "ratio": "%.1fx",
        "seconds": "%.1f s",
    }
    if column.unit in formats:
        return make.NumberColumn(format=formats[column.unit], **common)
    return make.TextColumn(**common)
