"""The parts of the scorecard page: one sentence, three counts, and a row per criterion."""

import streamlit as st

from ms5ops import paths, units
from ms5ops.config import Costs, load_settings
from ms5ops.errors import Ms5opsError
from ms5ops.figures.scorecard import sparkline_image
from ms5ops.sandbox import replaying
from ms5ops.scorecard.reading import read_scorecard
from ms5ops.scorecard.records import AREAS, Answer, Criterion, Evidence, Question, Scorecard, Status
from ms5ops.ui.links import TITLES, page_link
from ms5ops.ui.messages import plain, show_error
from ms5ops.ui.readings import Readings, history, times_forgotten
from ms5ops.ui.verdicts import show_verdict

WIDTHS = (480, 210, 150, 90)
"""Pixels of a row's parts: together what a screen of 1,366 leaves beside the menu, and the last
three fit beside each other on a tablet."""
NO_BREAK = "\u00a0"
KEPT_S = 120
"""How old a scorecard may get before the next page load reads anew: its checks query the server."""
BADGES: dict[Status, tuple[str, str]] = {
    "met": ("green", "check_circle"),
    "not met": ("red", "cancel"),
    "not measured yet": ("gray", "help"),
}
COUNTS: dict[Status, str] = {
    "met": "Criteria whose measured value reaches its target.",
    "not met": "Criteria whose measured value misses its target.",
    "not measured yet": "Criteria without a measured value: nothing is assumed of them. Each row says how to get one.",
}


def found(page: Readings) -> Scorecard | None:
    """The scorecard of this environment; None, with the reason, where it cannot be read."""
    try:
        return _read(page.source, load_settings().costs, _occasion(page), page)
    except Ms5opsError as error:
        show_error(error, "the scorecard")
        return None


def _occasion(page: Readings) -> str:
    """What makes a scorecard old before its time: somebody asked for fresh readings, or the replay went on."""
    under_way = replaying.status()
    return f"{times_forgotten(page.source)} {under_way.month if under_way else None}"


@st.cache_resource(ttl=KEPT_S, refresh_mode="background", show_spinner="Reading the scorecard", max_entries=16)
def _read(source: str, costs: Costs | None, occasion: str, _page: Readings) -> Scorecard:  # cached by the first three
    return read_scorecard(load_settings(), _page.connected, _page.overview, history())


def headline(card: Scorecard) -> None:
    """The whole in a sentence, and how many criteria have which status."""
    show_verdict(card.verdict)
    with st.grid(columns=5, min_column_width=150, key="scorecard_counts"):
        for status, explain in COUNTS.items():
            st.metric(status.capitalize(), f"{card.count(status)} of {len(card.criteria)}", border=True, help=explain)
    other = {one.answer.origin for one in card.criteria} - {None, card.origin}
    if other:
        st.caption(
            f"Values marked :violet-badge[:material/history: {' and '.join(map(str, other))}] were measured on the "
            "embedded engine in months that were replayed: only the calendar is simulated. No value mixes them with "
            "others."
        )


def areas(card: Scorecard) -> None:
    """The criteria by area, each in a row."""
    for area in AREAS:
        st.subheader(area.capitalize(), anchor=False)
        for criterion in card.of(area):
            _row(criterion, card)


def _row(one: Criterion, card: Scorecard) -> None:
    question, answer = one.question, one.answer
    with st.container(
        horizontal=True,
        border=True,
        vertical_alignment="center",
        horizontal_alignment="distribute",
        key=f"criterion_{question.key}",
    ):
        # Fixed widths wrap on a narrow screen, where columns would only get narrower.
        said, value, trend, more = (st.container(width=width, gap="small") for width in WIDTHS)
        with said:
            colour, icon = BADGES[answer.status]
            marked = (
                "" if answer.origin in (None, card.origin) else f" :violet-badge[:material/history: {answer.origin}]"
            )
            badge = f":{colour}-badge[:material/{icon}: {answer.status.capitalize()}]"
            st.markdown(
                f"{badge}{marked}  \n**{plain(question.title)}**",
                help=f"{plain(question.definition)} Unit: {plain(question.unit)}.",
            )
            st.caption(plain(answer.reason))
            if answer.status == "not measured yet" and question.measure.page in TITLES:
                page_link(question.measure.page, question.measure.label)
        with value:
            st.markdown(f"**{_kept_together(answer.text)}**" if answer.value is not None else ":gray[No value yet]")
            st.caption(f"Target: {_kept_together(question.target)}")
        with trend:
            _trend(answer)
        with more:
            _ways(question, answer)


def _kept_together(text: str) -> str:
    """As words of Markdown, in which no line ends between a number and its per cent."""
    return plain(text).replace(" %", f"{NO_BREAK}%")


_NOT_SURE = " Single runs of an unchanged database lie as far apart; the Compare page judges by all their samples."


def _trend(answer: Answer) -> None:
    if answer.trend is None:
        st.caption("No trend kept" if answer.value is not None else "")
        return
    if len(answer.trend.points) > 1:
        st.html(sparkline_image(answer.trend))
    marked = "" if answer.trend.origin is None else f":violet-badge[:material/history: {answer.trend.origin}]  \n"
    st.caption(
        marked + _kept_together(answer.trend.text),
        help=f"{plain(answer.trend.what)}, month by month (UTC), up to a year."
        + (_NOT_SURE if answer.trend.direction == "not sure" else ""),
    )


def _ways(question: Question, answer: Answer) -> None:
    with st.popover("Evidence" if answer.evidence else "Details", type="tertiary", width="content"):
        if answer.measured_at is not None:
            st.markdown(f"Measured {units.instant_text(answer.measured_at)} ({answer.origin} data)")
        for number, evidence in enumerate(answer.evidence):
            _evidence(evidence, f"{question.key}_{number}")
        if answer.details:
            st.markdown("\n".join(f"- {plain(line)}" for line in answer.details))
        if answer.status == "not measured yet":
            st.markdown("Measure it by:")
            st.code(question.measure.command, language="shell", wrap_lines=True)


def _evidence(one: Evidence, key: str) -> None:
    with st.container(key=f"evidence_{key}"):
        if one.page in TITLES:
            st.page_link(
                paths.PROJECT / "pages" / f"{one.page}.py",
                label=plain(one.title),
                icon=":material/arrow_forward:",
                query_params=dict(one.parameters) or None,
            )
        else:
            st.markdown(plain(one.title))
        st.code(one.command, language="shell", wrap_lines=True)
