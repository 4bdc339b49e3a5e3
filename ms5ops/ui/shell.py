"""The frame of every page: which environment it is on, its readings, its errors.

A page is ``page = shell.begin(...)`` and then one ``page.read(...)`` per section; a section that cannot be
read shows its error where it would have stood, and the rest of the page goes on.
"""

from datetime import UTC, datetime
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ms5ops.config import SANDBOX, load_settings
from ms5ops.environments import Connected
from ms5ops.errors import Ms5opsError
from ms5ops.observe.absence import absence
from ms5ops.observe.server import Server
from ms5ops.queries import version_text
from ms5ops.ui import absence_banner, drift_banner, identity, readings, replay_line
from ms5ops.ui.messages import plain, show_error
from ms5ops.ui.readings import Readings
from ms5ops.ui.sources import SOURCES

Badge = tuple[str, Literal["violet", "red", "blue", "gray", "orange"], str]

_ENVIRONMENT = "environment"


def choose_environment() -> None:
    """The sidebar's choice of environment, kept in the address (``?environment=``) so that links carry it."""
    try:
        settings = load_settings()
    except Ms5opsError:
        return  # begin() shows it on the page, where it is read
    names = [*settings.environments, SANDBOX]
    st.selectbox(
        "Environment",
        names,
        index=names.index(settings.default),
        key=_ENVIRONMENT,
        bind="query-params",
        disabled=len(names) == 1,
        help="Which server the pages read: named in ms5ops.toml or by DB_HOST. "
        f"The default comes from: {plain(settings.default_origin)}.",
    )


def show_title(title: str) -> None:
    """The page's title, with the ``?`` that says where its numbers come from."""
    st.title(title, anchor=False, help=SOURCES[title].text)


def begin(title: str, about: str) -> Readings:
    """Head the page and connect; where there is no server to read, say why and stop the script."""
    show_title(title)
    identity.guard("read")
    head = st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="head")
    head.caption(about, width="content")
    chosen = st.session_state.get(_ENVIRONMENT)
    try:
        found = readings.open_environment(chosen)
    except Ms5opsError as error:
        if chosen:
            st.badge(f"{chosen}: not read", color="red", icon=":material/cloud_off:")
        show_error(error, "the environment")
        st.button("Try again", icon=":material/refresh:")
        st.stop()
    _strip(found)
    _reading_time(found, head)
    replay_line.show(found)
    drift_banner.show(found)
    absence_banner.show(found, title)
    return found


def begin_without_reading(title: str, about: str) -> str:
    """Head a page that needs no server, and connect nowhere; the name of the chosen environment."""
    show_title(title)
    identity.guard("read")
    st.caption(about)
    try:
        settings = load_settings()
        name = settings.chosen(st.session_state.get(_ENVIRONMENT))
    except Ms5opsError as error:
        show_error(error, "the settings")
        st.stop()
    simulated = name == SANDBOX
    st.badge(
        f"{name}: simulated data" if simulated else plain(name),
        color="violet" if simulated else "blue",
        icon=f":material/{'science' if simulated else 'dns'}:",
    )
    return name


def _strip(found: Readings) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="environment_strip"):
        for label, colour, icon in _badges(found.connected, found.server):
            st.badge(label, color=colour, icon=f":material/{icon}:")


def _reading_time(found: Readings, head: DeltaGenerator) -> None:
    with head.container(horizontal=True, vertical_alignment="center", width="content"):
        day = "" if found.read_at.date() == datetime.now(UTC).date() else f"{found.read_at:%Y-%m-%d} "
        st.caption(f"Read at {day}{found.read_at:%H:%M:%S} UTC", width="content")
        if st.button("Read again", icon=":material/refresh:", type="tertiary", key="read_again"):
            readings.forget(found)
            st.rerun()


def _badges(connected: Connected, server: Server) -> list[Badge]:
    target = connected.database.target
    postgres = ".".join(map(str, server.postgres_version))
    badges: list[Badge] = [
        (f"{connected.name}: simulated data", "violet", "science")
        if connected.origin == "simulated"
        else (connected.name, "red" if connected.protected else "blue", "lock" if connected.protected else "dns"),
        (plain(f"{target.database} on {target.host}:{target.port}"), "gray", "database"),
        (f"TimescaleDB {version_text(server.version)} {server.edition.capitalize()}", "gray", "schedule"),
        (f"PostgreSQL {postgres}", "gray", "storage"),
    ]
    if server.in_recovery:
        badges.append(("standby (read only)", "orange", "sync"))
    return badges


def missing_next_step(found: Readings) -> str:
    """Where what the page is about is not in place: how to get there, on this environment."""
    none = absence(found.overview.tables.found(()))
    if none is not None:
        return plain(none.next_step)
    if found.connected.origin == "simulated":
        return (
            "Plan it and try it on the page Rollout; or see it in place at once: "
            "`python -m ms5ops sandbox reset --state optimised`."
        )
    return (
        "See what the policy set would change, and how, on the page Rollout, or by `python -m ms5ops plan`. What it "
        "does not ask for yet is written into it there, under Adjust the policy set."
    )
