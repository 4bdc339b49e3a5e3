"""The head of the compare page: two sides, how their circumstances differ, and the verdict on the whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
import streamlit as st

from ms5ops.benchmark.compare import Comparison, Side, compare
from ms5ops.benchmark.comparison_summary import WEIGHTS, card_texts, headline
from ms5ops.benchmark.expected import Outside
from ms5ops.benchmark.records import RunHeader
from ms5ops.benchmark.run_summary import GROUP_TITLES
from ms5ops.benchmark.selection import DeploymentSpan, Selected, select
from ms5ops.benchmark.sides import (
    Choice,
    choices,
    deployment_names,
    first_pair,
    outside_figures,
    sizes_beside,
)
from ms5ops.benchmark.surroundings import Difference
from ms5ops.benchmark.verdicts import BASIS_WORDS
from ms5ops.errors import BenchmarkError, Ms5opsError
from ms5ops.observe.savings import savings
from ms5ops.ui import benchmark_readings, readings
from ms5ops.ui.benchmark_readings import loaded, run_headers
from ms5ops.ui.links import page_link
from ms5ops.ui.messages import in_words, plain, show_error
from ms5ops.ui.panels import empty_panel
from ms5ops.ui.readings import Readings
from ms5ops.ui.tables import Column, show_table
from ms5ops.ui.verdicts import show_verdict

SIZE_COLUMNS = ("taken_at", "origin", "table_name", "size_bytes", "uncompressed_bytes")
SIDES: tuple[Literal["before"], Literal["after"]] = ("before", "after")
DIFFERENCE_COLUMNS = [
    Column("subject", "What differs"),
    Column("before", "Before"),
    Column("after", "After"),
    Column("weight", "Weight"),
    Column("remark", "What it means"),
]


@dataclass(frozen=True)
class Material:
    """What the page compares from: the runs, the deployments, and what people call these, by id."""

    page: Readings
    headers: tuple[RunHeader, ...]
    deployments: tuple[DeploymentSpan, ...]
    names: Mapping[str, str]


def material(page: Readings) -> Material | None:
    """The runs and deployments of this environment; None, with what to do, where there is nothing to compare."""
    try:
        headers = run_headers(page)
    except Ms5opsError as error:
        show_error(error, "the history of benchmark runs")
        return None
    if len(headers) < 2:
        empty_panel(
            "Nothing to compare yet",
            f"A comparison takes two runs of this database, and there is {'one' if headers else 'none'}.",
            "Run one on the Benchmarks page or by `python -m ms5ops benchmark run`, before and after a change.",
        )
        page_link("benchmarks")
        return None
    try:
        deployments = benchmark_readings.deployments(page)
    except Ms5opsError as error:
        show_error(error, "the journal of deployments")
        deployments = ()
    return Material(page, headers, deployments, deployment_names(deployments))


def sides(found: Material) -> tuple[Selected, Selected] | None:
    """The two sides as chosen, kept in the address (``?before=`` and ``?after=``) so that links carry them."""
    own = [one for one in found.headers if one.source == found.page.source]
    others = len(own) < len(found.headers)
    whole = others and st.toggle(
        "Also runs of other addresses, or of earlier fills of the sandbox",
        key="other_sources",
        value=len(own) < 2,
        help="Their data differ, so that a difference in speed cannot be put down to a change.",
    )
    headers = found.headers if whole else tuple(own)
    options = choices(headers, found.deployments)
    first = first_pair(headers, found.deployments)
    if first is None and len(options) >= 2:
        first = options[-1].word, options[0].word
    if first is None:
        empty_panel(
            "Nothing to compare yet",
            "There are not two runs of this database and origin.",
            "Run one more on the Benchmarks page, or by `python -m ms5ops benchmark run`.",
        )
        return None
    chosen = _choose(options, first)
    selections = []
    for word in chosen:
        try:
            selections.append(select(word, headers, found.deployments))
        except BenchmarkError as error:
            st.warning(f"{plain(error.happened)} {plain(error.next_step)}", icon=":material/info:")
            return None
    return selections[0], selections[1]


def _choose(options: Sequence[Choice], first: tuple[str, str]) -> tuple[str, str]:
    titles = {one.word: one.title for one in options}
    chosen = []
    grid = st.grid(columns=2, min_column_width=320, key="compare_sides")
    for side, word in zip(SIDES, first, strict=True):
        wanted = st.query_params.get(side, word)
        offered = titles if wanted in titles else {wanted: wanted, **titles}
        st.session_state[f"compare_{side}"] = wanted
        with grid:
            st.selectbox(
                side.capitalize(),
                list(offered),
                format_func=offered.__getitem__,
                key=f"compare_{side}",
                on_change=_keep,
                args=(side,),
                help="A deployment's runs, a month, a label, or a single run. What stands there at first are the runs "
                "around the newest deployment, or else the last two.",
            )
        chosen.append(wanted)
    return chosen[0], chosen[1]


def _keep(side: str) -> None:
    st.query_params[side] = st.session_state[f"compare_{side}"]


def comparison(found: Material, before: Selected, after: Selected) -> Comparison | None:
    """The comparison; None, with the reason, where the two sides cannot be compared."""
    try:
        return _compared(
            (before.name, *(one.run_id for one in before.headers)),
            (after.name, *(one.run_id for one in after.headers)),
            _outside(found, before, after),
            tuple(found.names.items()),
        )
    except Ms5opsError as error:
        st.warning(in_words(error), icon=":material/info:")
        return None


@st.cache_resource(show_spinner="Comparing", max_entries=32)
def _compared(
    before: tuple[str, ...], after: tuple[str, ...], outside: Outside, names: tuple[tuple[str, str], ...]
) -> Comparison:
    old, new = (Side(name, loaded(run_ids)) for name, *run_ids in (before, after))
    return compare(old, new, None, outside, dict(names))


def _outside(found: Material, before: Selected, after: Selected) -> Outside:
    stored = None
    try:
        stored = readings.stored("storage_snapshots", found.page.source)
    except Ms5opsError as error:
        show_error(error, "the history of snapshots")
    compression = found.page.overview.compression.value
    return outside_figures(
        sizes_beside(stored if stored is not None else pd.DataFrame(columns=[*SIZE_COLUMNS]), after.headers),
        found.headers,
        before.headers,
        after.headers,
        savings(compression).saved_share if compression else None,
        deployments=found.deployments,
    )


def circumstances(compared: Comparison) -> None:
    """How the sides differ in what they were taken under, the grave ones in full, before any verdict."""
    grave = [one for one in compared.differences if one.weight in ("spoils", "another cause")]
    rest = [one for one in compared.differences if one not in grave]
    if grave:
        spoilt = compared.is_spoilt
        lines = "\n".join(
            f"- {plain(one.subject)}: {plain(one.before)} → {plain(one.after)}. {plain(one.remark)}"
            for one in grave[:5]
        )
        more = f"\n- and {len(grave) - 5} more in the table below" if len(grave) > 5 else ""
        title = "The sides were not taken under the same circumstances" if spoilt else "Other causes are possible"
        (st.error if spoilt else st.warning)(f"**{title}**\n{lines}{more}", icon=":material/rule:")
    is_told = any(run.header.surroundings for run in (*compared.before.runs, *compared.after.runs))
    label = (
        "Circumstances are not known"
        if not compared.differences and not is_told
        else "Same circumstances on both sides"
        if not compared.differences
        else f"Differences of circumstances ({len(compared.differences)})"
        if grave
        else f"Circumstances alike, but for what is expected ({len(rest)})"
    )
    with st.expander(label, icon=":material/rule:"):
        if compared.differences:
            show_table(_difference_frame(compared.differences), DIFFERENCE_COLUMNS, key="differences")
        elif not is_told:
            st.markdown(
                "Imported reports do not tell versions, settings, hardware and data volume: any of them may be the "
                "cause of a difference."
            )
        else:
            st.markdown(
                "Versions, settings, hardware, data volume, compressed share, policy and protocol are the same."
            )


def _difference_frame(differences: Sequence[Difference]) -> pd.DataFrame:
    return pd.DataFrame(
        [(one.subject, one.before, one.after, WEIGHTS[one.weight], one.remark) for one in differences],
        columns=["subject", "before", "after", "weight", "remark"],
    )


def verdict(compared: Comparison) -> None:
    """The whole in a sentence, and per group how much faster."""
    show_verdict(headline(compared))
    basis = f" {BASIS_WORDS[compared.suite.basis]}" if compared.suite.basis else ""
    st.caption(f"Before: {_runs(compared.before)}. After: {_runs(compared.after)}.{basis}")
    groups = [one for one in compared.groups if one.speedup is not None]
    if not groups:
        return
    with st.grid(columns=6, min_column_width=150, key="speedups"):
        for one in groups:
            colour = {"faster": "green", "slower": "red"}.get(one.verdict, "gray")
            st.metric(
                GROUP_TITLES[str(one.group)],
                *card_texts(one),
                delta_color=colour,  # type: ignore[arg-type]  # the colours are Streamlit's
                delta_arrow="off",
                border=True,
                help=plain(f"Geometric mean of the speedups of this group. {one.reason}"),
            )


def _runs(side: Side) -> str:
    name, first, last = plain(side.name), side.runs[0].header.started_at, side.runs[-1].header.started_at
    if len(side.runs) == 1:
        text = f"{first:%Y-%m-%d %H:%M}"
        return name if text in side.name else f"{name} (run of {text} UTC)"
    return f"{name} ({len(side.runs)} runs, {first:%Y-%m-%d} to {last:%Y-%m-%d})"
