"""The parts of the audit page: whether the log is whole, the filters, the entries, the export."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import streamlit as st

from ms5ops import paths
from ms5ops.access import manage
from ms5ops.access.audit import OUTCOMES, Entry, Verification
from ms5ops.access.audit_export import as_csv, as_json, chosen, details_text
from ms5ops.access.roles import Actor
from ms5ops.config import load_settings
from ms5ops.control import anchors
from ms5ops.control.anchors import Anchored
from ms5ops.observe.finding import counted
from ms5ops.ui.messages import ICONS, plain
from ms5ops.units import MISSING

_SPANS = {"Last 24 hours": 1, "Last 7 days": 7, "Last 30 days": 30, "All": None}
_SHOWN = 2_000
_JOURNALS_READ_EVERY_S = 60


def verification(actor: Actor) -> Verification:
    """Verify the log, also against its heads in the journals of the databases, and say how it stands."""
    anchored = _anchored(str(paths.state_folder()))
    found = manage.verify_audit(actor, kept=anchored.heads)
    if found.intact:
        heads = counted(len(anchored.heads), "state of it", "states of it")
        witnessed = f" {heads} that deployments noted in the journals of the databases agree." if anchored.heads else ""
        st.success(
            f"**The log is whole.** {counted(found.entries, 'entry', 'entries')}, none changed, moved or missing."
            f"{witnessed}",
            icon=ICONS["ok"],
        )
    else:
        listed = "\n".join(f"- {plain(finding)}" for finding in found.findings[:20])
        more = f"\n- and {len(found.findings) - 20} more" if len(found.findings) > 20 else ""
        st.error(
            f"**The log is not as it was written.**\n\n{listed}{more}\n\nFind out who could write to the console's "
            "state folder, and compare with a copy or an export.",
            icon=ICONS["critical"],
        )
    for name, why in anchored.unread.items():
        st.caption(f"Not compared with the journal of {plain(name)}: {plain(why)}")
    return found


@st.cache_data(ttl=_JOURNALS_READ_EVERY_S, max_entries=8, show_spinner="Asking the journals of the databases")
def _anchored(state: str) -> Anchored:
    """``state``: the folder that holds the log."""
    return anchors.read(load_settings())


def filtered(actor: Actor) -> list[Entry]:
    """The filters, and the entries that pass them."""
    entries = manage.read_audit(actor)
    with st.container(horizontal=True):
        days = _SPANS[st.selectbox("When", list(_SPANS), index=1, key="when", bind="query-params", width=170)]
        actions = st.multiselect(
            "What", sorted({entry.action for entry in entries}), placeholder="everything", width=230
        )
        outcomes = st.multiselect("Outcome", OUTCOMES, placeholder="any", width=200)
        wanted = st.text_input("With the text", placeholder="a name, a plan, an address", max_chars=200, width=240)
    since = datetime.now(UTC) - timedelta(days=days) if days else None
    return chosen(entries, since=since, actions=actions, outcomes=outcomes, text=wanted)


def table(entries: list[Entry]) -> None:
    """The entries, newest first."""
    if not entries:
        st.info("No entry fits these filters.", icon=ICONS["info"])
        return
    shown = entries[:_SHOWN]
    frame = pd.DataFrame(
        {
            "When (UTC)": [entry.at for entry in shown],
            "Who": [entry.actor for entry in shown],
            "What": [entry.action for entry in shown],
            "To": [entry.subject for entry in shown],
            "Outcome": [entry.outcome for entry in shown],
            "As": [entry.role or MISSING for entry in shown],
            "Details": [details_text(entry) for entry in shown],
            "Entry": [entry.number for entry in shown],
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        width="stretch",
        column_config={
            "When (UTC)": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss", timezone="UTC"),
            "As": st.column_config.TextColumn(help="The role at that time."),
            "Details": st.column_config.TextColumn(width="large"),
            "Entry": st.column_config.NumberColumn(format="%d", help="Its number in the log."),
        },
        key="audit_table",
    )
    if len(entries) > _SHOWN:
        st.caption(f"The newest {_SHOWN:,} of {len(entries):,} entries are shown; an export holds all of them.")


def export(entries: list[Entry], found: Verification) -> None:
    """The entries that pass the filters, as files."""
    with st.container(horizontal=True):
        st.download_button(
            "Download as CSV", lambda: as_csv(entries), "audit.csv", "text/csv", icon=":material/download:",
            type="tertiary", on_click="ignore",
        )  # fmt: skip
        st.download_button(
            "Download as JSON", lambda: as_json(entries, found), "audit.json", "application/json",
            icon=":material/download:", type="tertiary", on_click="ignore",
            help="With the log's head, which shows later that nothing was cut off since.",
        )  # fmt: skip
