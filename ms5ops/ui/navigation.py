"""The script of every session: page settings, the navigation, and then the page that was asked for."""

import streamlit as st

from ms5ops import paths
from ms5ops.ui import alert_badge, identity, shell

PAGES = paths.PROJECT / "pages"
ASSETS = paths.PROJECT / "ms5ops" / "ui"
MENU_WIDTH = 245  # pixels; in a script of Streamlit's a text below it would stand on every page


def _page(name: str, title: str, icon: str, *, default: bool = False) -> st.Page:
    return st.Page(PAGES / f"{name}.py", title=title, icon=f":material/{icon}:", url_path=name, default=default)


# What Streamlit gives the menu, 300 pixels, and the margins, 6 rem above and 5 beside, figures have better use for.
st.set_page_config(
    page_title="ms5ops", page_icon=str(ASSETS / "icon.png"), layout="wide", initial_sidebar_state=MENU_WIDTH
)
st.html(
    "<style>[data-testid=stMainBlockContainer] { padding: 3rem 3rem 4rem } "
    "@media (max-width: 1000px) { [data-testid=stMainBlockContainer] { padding: 3rem 1.5rem 4rem } }</style>"
)
st.logo(str(ASSETS / "logo.svg"), size="large", icon_image=str(ASSETS / "icon.png"))
page = st.navigation(
    {
        "At a glance": [
            _page("overview", "Overview", "space_dashboard", default=True),
            _page("scorecard", "Scorecard", "fact_check"),
            _page("alerts", "Alerts", "notifications"),
        ],
        "Look closer": [
            _page("storage", "Storage", "database"),
            _page("compression", "Compression", "compress"),
            _page("jobs", "Jobs", "schedule"),
            _page("aggregates", "Aggregates", "stacked_line_chart"),
            _page("indexes", "Indexes", "format_list_numbered"),
            _page("health", "Health", "health_and_safety"),
        ],
        "Measure": [
            _page("benchmarks", "Benchmarks", "timer"),
            _page("compare", "Compare", "compare_arrows"),
        ],
        "Change": [
            _page("rollout", "Rollout", "rocket_launch"),
        ],
        "Administer": [
            _page("audit", "Audit log", "history_edu"),
            _page("accounts", "Accounts", "group"),
        ],
    },
    expanded=True,  # or the pages that change something are folded away
)
with st.sidebar:
    identity.show_identity()
    if identity.may_read():
        shell.choose_environment()
        alert_badge.show()
identity.guard("read", "ms5ops")
page.run()
