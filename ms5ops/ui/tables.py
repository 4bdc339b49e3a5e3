"""Tables as people read them: headings with units, numbers formatted, CSV with the exact values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
import streamlit as st

from ms5ops.access.audit_export import harmless
from ms5ops.units import MISSING

Unit = Literal["text", "count", "number", "bytes", "ratio", "percent", "seconds", "instant", "yes/no"]


BYTE_STEPS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
LEAST_SHOWN, LEGIBLE = 0.05, 10_000
"""Own choice: of a column's unit, less than a twentieth reads as nothing, and ten thousand has digits to count."""
TIME_STEPS = ((3600.0, "h", 2), (60.0, "min", 1))
"""Seconds of a unit, its name, and the decimals that it is shown with."""


@dataclass(frozen=True)
class Column:
    """A column to show: its name in the frame, its heading, its unit, and what it means (the ``?`` of the heading).

    ``percent`` columns hold shares (1.0 is all of it), ``bytes`` bytes, ``seconds`` seconds, ``instant``
    aware timestamps. ``decimals``: of shares, where a whole per cent would hide on which side of a target they lie.
    """

    name: str
    heading: str
    unit: Unit = "text"
    about: str | None = None
    decimals: int = 0


def show_table(
    frame: pd.DataFrame,
    columns: Sequence[Column],
    *,
    key: str,
    height: int | None = None,
    on_choose: Callable[[int], None] | None = None,
) -> None:
    """Show ``frame``'s ``columns`` and a button that downloads them as CSV named ``<key>.csv``.

    The CSV holds plain numbers under headings that carry the unit (``Size (bytes)``), not the formatted text.
    ``on_choose`` is called with the place of a row that was ticked.
    """

    def chosen_row() -> None:
        rows = st.session_state[f"{key}_table"]["selection"]["rows"]
        if rows and on_choose is not None:
            on_choose(int(rows[0]))

    chosen = frame[[column.name for column in columns]]
    st.dataframe(
        scaled(chosen, columns),
        column_config={column.name: _config(column, chosen[column.name]) for column in columns},
        hide_index=True,
        placeholder=MISSING,
        width="stretch",
        height=height or "auto",
        key=f"{key}_table",
        on_select=chosen_row if on_choose is not None else "ignore",
        selection_mode="single-row",
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
    """``frame`` as CSV: one column each of ``columns``, the unit in the heading, instants in ISO 8601.

    A text that a spreadsheet would take for a formula gets a ' before it: names, messages and reasons come from
    whoever may write to the database, or to the history.
    """
    return (
        harmless_texts(frame)
        .rename(columns={column.name: csv_heading(column) for column in columns})
        .to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%S%z")
    )


def harmless_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """``frame`` for a CSV file, with every text ``audit_export.harmless``."""
    texts = frame.select_dtypes(include=["object", "string", "category"]).columns
    return frame.assign(**{str(name): frame[name].astype(object).map(harmless) for name in texts})


def csv_heading(column: Column) -> str:
    """The heading with its unit, where it has one."""
    units = {"bytes": "bytes", "seconds": "s", "percent": "share", "ratio": "x", "instant": "UTC"}
    return f"{column.heading} ({units[column.unit]})" if column.unit in units else column.heading


def scaled(frame: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """``frame`` as it is shown: bytes and times in the unit of the column's largest value, shares as per cent, counts
    whole.

    One unit for a column lets its numbers be compared at a glance, and they stay numbers, so that they sort.
    """
    shown = frame.copy()
    for column in columns:
        if column.unit == "bytes":
            shown[column.name] = shown[column.name].astype("Float64") / byte_step(shown[column.name])[0]
        elif column.unit == "percent":
            shown[column.name] = shown[column.name].astype("Float64") * 100
        elif column.unit == "seconds":
            shown[column.name] = shown[column.name].astype("Float64") / time_step(shown[column.name])[0]
        elif column.unit == "count":
            shown[column.name] = shown[column.name].astype("Float64").round()
    return shown


def byte_step(values: pd.Series) -> tuple[float, str, int]:
    """The factor, name and decimals of the unit that fits the largest of the values, or the one below where the
    smallest would read as nothing and the largest is still legible in it."""
    largest, smallest = _largest(values), _largest(values, smallest=True)
    steps = [*BYTE_STEPS, (1, "bytes")]
    place = next((place for place, (size, _) in enumerate(steps) if largest >= size), len(steps) - 1)
    if place + 2 < len(steps) and smallest < LEAST_SHOWN * steps[place][0] and largest < LEGIBLE * steps[place + 1][0]:
        place += 1
    size, name = steps[place]
    return size, name, 0 if size == 1 else 2 if largest < 10 * size else 1


def time_step(values: pd.Series) -> tuple[float, str, int]:
    """The seconds, name and decimals of the unit that fits the largest of the values: from two of it on."""
    largest = _largest(values)
    return next((step for step in TIME_STEPS if largest >= 2 * step[0]), (1.0, "s", 1))


def _largest(values: pd.Series, *, smallest: bool = False) -> float:
    """The largest (or smallest) size of the values that are there and not zero; 0 without any."""
    sizes = values.dropna().abs()
    sizes = sizes[sizes > 0]
    return 0.0 if sizes.empty else float(sizes.min() if smallest else sizes.max())


def _config(column: Column, values: pd.Series) -> Any:
    make = st.column_config
    common: dict[str, Any] = {"label": column.heading, "help": column.about}
    if column.unit == "instant":
        return make.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss", timezone="UTC", **common)
    if column.unit == "yes/no":
        return make.CheckboxColumn(**common)
    if column.unit == "bytes":
        _, name, decimals = byte_step(values)
        return make.NumberColumn(format=f"%.{decimals}f {name}", **common)
    if column.unit == "seconds":
        _, name, decimals = time_step(values)
        return make.NumberColumn(format=f"%.{decimals}f {name}", **common)
    formats = {"percent": f"%.{column.decimals}f %%", "count": "localized", "number": "%.2f", "ratio": "%.1fx"}
    if column.unit in formats:
        return make.NumberColumn(format=formats[column.unit], **common)
    return make.TextColumn(**common)
