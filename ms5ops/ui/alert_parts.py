"""The parts of the alerts page. They read what the last evaluation kept: they stand when the server does not."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import streamlit as st

from ms5ops import units
from ms5ops.access.roles import LEAST, may
from ms5ops.alerts.actions import ACTION, LONGEST_REASON, Alerting
from ms5ops.alerts.candidate import RULES, value_text
from ms5ops.alerts.state import Alert
from ms5ops.alerts.store import Evaluation, Mute, evaluations, is_muted, mutes, read_alerts
from ms5ops.alerts.watching import evaluate
from ms5ops.errors import Ms5opsError
from ms5ops.observe.finding import counted
from ms5ops.ui import alert_tabs
from ms5ops.ui.identity import actor
from ms5ops.ui.links import page_link
from ms5ops.ui.messages import COLOURS, ICONS, WORDS, plain, show_error, show_failure

MUTE_FOR = {
    "1 hour": timedelta(hours=1),
    "8 hours": timedelta(hours=8),
    "1 day": timedelta(days=1),
    "1 week": timedelta(days=7),
    "30 days": timedelta(days=30),
}
_TOLD = "alerts_told"
WAIT_S = 5.0
_ACKNOWLEDGE_HELP = (
    "Nobody is told of it again for as long as it lasts, unless it gets worse. Accepting a slower benchmark makes its "
    "new level the usual one: only a further shift alarms."
)


@dataclass(frozen=True)
class Board:
    """What the page shows: the alerts that stand (pending ones left out), mutes, the last evaluation (None: never).

    ``refusal``: why whoever looks may change nothing, None where they may.
    """

    here: Alerting
    environment: str
    now: datetime
    alerts: tuple[Alert, ...]
    mutes: tuple[Mute, ...]
    last: Evaluation | None
    refusal: str | None

    def mute_of(self, alert: Alert) -> Mute | None:
        """The mute that silences it."""
        return is_muted(self.mutes, self.environment, alert.key)

    @property
    def loud(self) -> tuple[Alert, ...]:
        """Those that nobody has accepted or muted, the gravest and oldest first."""
        found = filter(self._is_loud, self.alerts)
        return tuple(sorted(found, key=lambda one: (one.severity != "critical", one.since)))

    @property
    def quiet(self) -> tuple[Alert, ...]:
        """The others."""
        return tuple(one for one in self.alerts if not self._is_loud(one))

    @property
    def is_stale(self) -> bool:
        """Whether the last evaluation is older than the rule for a silent collector lets snapshots be."""
        silent = timedelta(minutes=self.here.service.settings.alerts.collector.silent_minutes)
        return self.last is not None and self.now - self.last.at > silent

    def _is_loud(self, alert: Alert) -> bool:
        return alert.status == "open" and self.mute_of(alert) is None


def board(environment: str) -> Board:
    """What is kept of that environment's alerts; where that cannot be read, the page says why and stops."""
    try:
        here = Alerting.here()
        now = here.store.now()
        found = tuple(one for one in read_alerts(here.store, environment) if one.status != "pending")
        last = evaluations(here.store).get(environment)
        return Board(here, environment, now, found, mutes(here.store, environment, now), last, _refusal())
    except Ms5opsError as error:
        show_error(error, "the alerts")
        st.stop()


def verdict(found: Board) -> None:
    """One line: how many alerts are open; then when that was evaluated, and how to evaluate now."""
    if told := st.session_state.pop(_TOLD, None):
        st.toast(told)
    for mute in found.mutes:
        if mute.key is None:
            _all_muted(found, mute)
    if found.last is None:
        st.info(
            "**Nothing has been evaluated here yet.** Evaluate now, or let it be done regularly.", icon=ICONS["info"]
        )
    elif found.is_stale and not found.loud:
        age = units.duration_text((found.now - found.last.at).total_seconds())
        st.warning(
            f"**Nothing has been evaluated for {age}: whether all is well now is not known.** Evaluate now, or let "
            "`python -m ms5ops watch` do it regularly.",
            icon=ICONS["warning"],
        )
    elif not found.loud:
        rest = f" {counted(len(found.quiet), 'is', 'are')} accepted or muted." if found.quiet else ""
        left = len(found.last.not_judged)
        if left > len(RULES) / 2:  # silence is no praise where most of it could not speak
            st.info(
                f"**No alert is open, but {left} of {len(RULES)} rules were not judged.**{rest}", icon=ICONS["info"]
            )
        else:
            st.success(f"**No alert is open.**{rest}", icon=ICONS["ok"])
    else:
        critical = sum(one.severity == "critical" for one in found.loud)
        parts = [
            counted(critical, "critical alert", "critical alerts") if critical else "",
            counted(len(found.loud) - critical, "warning", "warnings") if len(found.loud) > critical else "",
        ]
        text = f"**Open: {' and '.join(filter(None, parts))}.**"
        (st.error if critical else st.warning)(text, icon=ICONS["critical" if critical else "warning"])
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.caption(_evaluated_text(found), width="content")
        st.button(
            "Evaluate now", icon=":material/refresh:", key="evaluate", on_click=_evaluate, args=(found,),
            disabled=found.refusal is not None,
            help=found.refusal or "Reads the server, judges every rule, and sends what there is to tell. The same as "
            "`python -m ms5ops watch --once`.",
        )  # fmt: skip


def open_alerts(found: Board) -> None:
    """A card for each alert that nobody has accepted or muted."""
    if found.last is None:
        st.markdown(
            "Let it be done every five minutes: `python -m ms5ops watch --every 5`, or `watch --once` from cron. The "
            "console does it after each of its own snapshots."
        )
    for one in found.loud:
        with st.container(border=True, key=f"alert_{one.key}"):
            _head(found, one)
            st.markdown(plain(one.sentence))
            if one.times_missed:
                left = found.here.service.settings.alerts.clear_after - one.times_missed
                st.caption(
                    "Not found at the last evaluation: it is over when "
                    f"{counted(max(1, left), 'more evaluation does', 'more evaluations do')} not find it either."
                )
            st.markdown(f":material/arrow_forward: {plain(one.next_step)}")
            with st.container(horizontal=True, vertical_alignment="center"):
                _acknowledge(found, one)
                _mute(found, one)
                page_link(one.page, "Evidence")


def quiet_alerts(found: Board) -> None:
    """Those that somebody has accepted or muted: who, when, why."""
    if not found.quiet:
        return
    st.subheader("Accepted or muted", anchor=False)
    for one in found.quiet:
        with st.container(border=True, key=f"alert_{one.key}"):
            _head(found, one)
            st.markdown(plain(one.sentence))
            mute = found.mute_of(one)
            if one.status == "acknowledged":
                who, when = plain(one.acknowledged_by or ""), units.ago_text(one.acknowledged_at, found.now)
                st.caption(f"Acknowledged by {who} {when}: {plain(one.reason or '')}")
            if mute is not None:
                until = "until it is ended" if mute.until is None else f"until {units.instant_text(mute.until)}"
                st.caption(f"Muted by {plain(mute.muted_by)} {until}: {plain(mute.reason)}")
            with st.container(horizontal=True, vertical_alignment="center"):
                if mute is not None and mute.key is not None:
                    st.button(
                        "End the mute", icon=":material/notifications_active:", key=f"unmute_{one.key}",
                        on_click=_unmute, args=(found, mute), disabled=found.refusal is not None, help=found.refusal,
                    )  # fmt: skip
                page_link(one.page, "Evidence")


def tabs(found: Board) -> None:
    """What is watched, what happened, and whether messages arrive."""
    rules, happened, delivery = st.tabs(["What is watched", "History", "Delivery"])
    with rules:
        alert_tabs.rules(found.here.service.settings.alerts, found.alerts, found.last)
    with happened:
        alert_tabs.history(found.here.store, found.environment)
    with delivery:
        alert_tabs.delivery(found.here, found.now, refusal=found.refusal)


def _all_muted(found: Board, mute: Mute) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="all_muted"):
        until = "until somebody ends it" if mute.until is None else f"until {units.instant_text(mute.until)}"
        st.markdown(
            f":material/notifications_off: **Everything here is muted** {until}, by {plain(mute.muted_by)}: "
            f"{plain(mute.reason)}",
            width="content",
        )
        st.button(
            "End the mute", key="unmute_all", on_click=_unmute, args=(found, mute),
            disabled=found.refusal is not None, help=found.refusal,
        )  # fmt: skip


def _head(found: Board, one: Alert) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(WORDS[one.severity], icon=ICONS[one.severity], color=COLOURS[one.severity])  # type: ignore[arg-type]  # Streamlit's
        st.markdown(f"**{plain(one.subject)}**", width="content")
        st.caption(
            f"since {units.instant_text(one.since)} ({units.duration_text(_seconds(one.since, found.now))})",
            width="content",
        )
        if one.value is not None and one.threshold is not None:
            value, limit = value_text(one.value, one.unit), value_text(one.threshold, one.unit)
            st.caption(f"{value}, alarm at {limit}", width="content")


def _acknowledge(found: Board, one: Alert) -> None:
    with st.popover("Acknowledge", icon=":material/check:", disabled=found.refusal is not None, help=found.refusal):
        st.caption(_ACKNOWLEDGE_HELP)
        with st.form(f"acknowledge_{one.key}", border=False):
            reason = st.text_input("Reason", max_chars=LONGEST_REASON, placeholder="such as: known, mended on Monday")
            if st.form_submit_button("Acknowledge", type="primary"):
                _done(
                    lambda: found.here.acknowledge(actor(touch=True), found.environment, one.key, reason),
                    f"Acknowledged: {plain(one.subject)}.",
                )


def _mute(found: Board, one: Alert) -> None:
    icon = ":material/notifications_off:"
    with st.popover("Mute", icon=icon, disabled=found.refusal is not None, help=found.refusal):
        st.caption("It is still evaluated and shown; nobody is sent a message until then.")
        with st.form(f"mute_{one.key}", border=False):
            span = st.selectbox("For", list(MUTE_FOR), index=1)
            reason = st.text_input("Reason", max_chars=LONGEST_REASON, placeholder="such as: maintenance tonight")
            if st.form_submit_button("Mute", type="primary"):
                _done(
                    lambda: found.here.mute(actor(touch=True), found.environment, one.key, MUTE_FOR[span], reason),
                    f"Muted for {span}: {plain(one.subject)}.",
                )


def _unmute(found: Board, mute: Mute) -> None:
    try:
        found.here.unmute(actor(touch=True), found.environment, mute.key)
    except Ms5opsError as error:
        show_failure(error)


def _evaluate(found: Board) -> None:
    try:
        settings = found.here.service.settings
        found.here.service.allow(actor(touch=True), ACTION, found.environment)
        evaluate(settings, found.environment, wait_s=WAIT_S)
    except Ms5opsError as error:
        show_failure(error)


def _done(work: Callable[[], object], said: str) -> None:
    try:
        work()
    except Ms5opsError as error:
        show_failure(error)
        return
    st.session_state[_TOLD] = said
    st.rerun()


def _refusal() -> str | None:
    """Why the buttons are off for whoever looks; None where they are not."""
    try:
        who = actor()
    except Ms5opsError as error:
        return plain(f"{error.happened} {error.next_step}")
    if may(who, ACTION):
        return None
    start = "Nobody is signed in" if who is None else f"{plain(who.name)} has the role {who.role}"
    return f"{start}; this takes the role {LEAST[ACTION]} or more. `python -m ms5ops alerts` does the same."


def _evaluated_text(found: Board) -> str:
    if found.last is None:
        return "Never evaluated."
    left = len(found.last.not_judged)
    rest = f"; {counted(left, 'rule was', 'rules were')} not judged (see What is watched)" if left else ""
    return f"Evaluated {units.ago_text(found.last.at, found.now)}{rest}."


def _seconds(since: datetime, now: datetime) -> float:
    return max(60.0, round((now - since).total_seconds() / 60) * 60.0)
