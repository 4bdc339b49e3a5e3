"""The tabs of the alerts page: every rule with its threshold, what happened, and the channels of delivery."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from ms5ops import units
from ms5ops.access.store import Store
from ms5ops.alert_settings import Alerts
from ms5ops.alerts.actions import Alerting
from ms5ops.alerts.candidate import RULES, TITLES, RuleName
from ms5ops.alerts.delivery import ChannelState, channel_states, delivered_tests
from ms5ops.alerts.state import Alert
from ms5ops.alerts.store import Evaluation, events
from ms5ops.errors import Ms5opsError
from ms5ops.observe.finding import counted
from ms5ops.ui.identity import actor
from ms5ops.ui.messages import ICONS, plain, show_failure
from ms5ops.ui.tables import Column, show_table

_KINDS = {
    "opened": "Opened", "worse": "Got worse", "reminder": "Still open, told again", "cleared": "Over",
    "acknowledged": "Acknowledged", "muted": "Muted", "unmuted": "Mute ended",
}  # fmt: skip


def rules(settings: Alerts, standing: Sequence[Alert], last: Evaluation | None) -> None:
    """Every rule, from when on it alarms, and how it stands."""
    frame = pd.DataFrame(
        [
            {
                "rule": TITLES[name],
                "alarms": alarms_at(name, settings),
                "state": _state(name, settings, standing, last),
            }
            for name in RULES
        ]
    )
    show_table(
        frame,
        [
            Column("rule", "Watched"),
            Column("alarms", "Alarms where", about="Thresholds are set under [alerts] in ms5ops.toml"),
            Column("state", "At the last evaluation"),
        ],
        key="alert_rules",
        height=35 * (len(frame) + 1) + 3,
    )
    by_reason: dict[str, list[str]] = {}
    for name, reason in (last.not_judged if last else {}).items():
        by_reason.setdefault(reason, []).append(TITLES[name].lower())  # type: ignore[index]  # a rule's name
    for reason, titles in by_reason.items():
        st.caption(f"**Not judged: {'; '.join(titles)}.** {plain(reason)}")
    rows = settings.open_after
    times = f"{rows} evaluations in a row have" if rows > 1 else "an evaluation has"
    st.caption(
        f"An alert opens when {times} found its condition, and is over when "
        f"{counted(settings.clear_after, 'evaluation', 'evaluations')} in a row did not. Thresholds: `[alerts]` in "
        "ms5ops.toml."
    )


def alarms_at(name: RuleName, settings: Alerts) -> str:
    """From when on a rule alarms, in words."""
    limit = settings.storage.limit_gb
    texts: dict[RuleName, str] = {
        "server": "the server cannot be read",
        "collector": f"no snapshot was stored for {settings.collector.silent_minutes} min",
        "jobs": f"{counted(settings.jobs.failures, 'run failed', 'runs in a row failed')}, or a start is over "
        f"{settings.jobs.overdue_minutes:g} min late, or a policy is paused",
        "lag": "further behind than the refresh policy allows"
        if settings.lag.times_promised == 1
        else f"over {settings.lag.times_promised:g} times as far behind as the refresh policy allows",
        "retention": f"{counted(settings.retention.late_chunks, 'chunk is', 'chunks are')} kept too long, or a refresh "
        "would delete summaries",
        "backlog": f"{counted(settings.backlog.late_chunks, 'chunk', 'chunks')} missed a run of the compression job",
        "ratio": f"under {units.percent_text(settings.ratio.least_saved)} saved on a table of "
        f"{settings.ratio.least_mb:g} MB or more",
        "storage": "no limit is set" if limit is None else f"{limit:g} GB are expected within "
        f"{settings.storage.days_ahead} days",
        "regression": f"over {units.percent_text(settings.regression.slower_by)} slower to stay, within "
        f"{settings.regression.days} days",
        "errors": f"over {settings.errors.times_usual:g} times the usual rollbacks, and "
        f"{settings.errors.least_per_hour:g} an hour; or benchmark queries fail",
        "drift": "anything differs from the last verified deployment",
    }  # fmt: skip
    return texts[name]


def history(store: Store, environment: str) -> None:
    """What happened, newest first."""
    found = events(store, environment)
    if not found:
        st.caption("Nothing has happened yet.")
        return
    frame = pd.DataFrame(
        [
            {
                "at": one.at, "what": _KINDS.get(one.kind, one.kind), "severity": one.severity.capitalize(),
                "subject": one.subject, "sentence": one.sentence, "who": one.actor, "reason": one.reason,
            }
            for one in found
        ]
    )  # fmt: skip
    show_table(
        frame,
        [
            Column("at", "When (UTC)", "instant"),
            Column("what", "What happened"),
            Column("severity", "Severity"),
            Column("subject", "About"),
            Column("who", "Who"),
            Column("reason", "Reason"),
            Column("sentence", "What was wrong"),
        ],
        key="alert_history",
    )


def delivery(here: Alerting, now: datetime, *, refusal: str | None) -> None:
    """The channels, how they did, and a test."""
    found = channel_states(here.store, here.service.settings.alerts)
    if not found:
        st.info(
            "**Nobody is told of alerts yet.** Name a channel in ms5ops.toml, and keep its address (apprise: e-mail, "
            "Teams, Slack, webhooks and others) in a variable or a file:",
            icon=ICONS["info"],
        )
        st.code(
            '[alerts.channels.oncall]\nenv = "MS5OPS_ALERT_URL"   # or file = "/etc/ms5ops/oncall"', language="toml"
        )
        return
    tests = delivered_tests(here.store)
    text = f"The last test arrived {units.ago_text(tests[-1], now)}." if tests else "No test has been delivered yet."
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(text, width="content")
        wanted = st.button(
            "Send a test alert", icon=":material/send:", key="test_delivery", disabled=refusal is not None,
            help=refusal or "To every channel, at once. The same as `python -m ms5ops alerts test`.",
        )  # fmt: skip
    if wanted:
        _test(here)
        found = channel_states(here.store, here.service.settings.alerts)
    for one in found:
        _channel(one, now)


def _test(here: Alerting) -> None:
    try:
        with st.spinner("Sending"):
            done = here.test(actor(touch=True))
    except Ms5opsError as error:
        show_failure(error)
        return
    for one in done:
        if one.failure is None:
            st.success(f"**{plain(one.channel)}** took the test.", icon=ICONS["ok"])
        else:
            st.error(f"**{plain(one.failure)}** {plain(one.next_step)}", icon=ICONS["critical"])


def _channel(one: ChannelState, now: datetime) -> None:
    with st.container(border=True, key=f"channel_{one.name}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            fine = one.failure is None and one.service is not None
            word = "Works" if fine and one.last_delivered_at else "Not used yet" if fine else "Fails"
            colour = {"Works": "green", "Not used yet": "gray", "Fails": "red"}[word]
            st.badge(word, color=colour)  # type: ignore[arg-type]  # the colours are Streamlit's
            st.markdown(f"**{plain(one.name)}**", width="content")
            st.caption(
                f"{plain(one.service or 'unknown service')}, "
                + ("critical alerts only" if one.least == "critical" else "warnings and critical alerts"),
                width="content",
            )
            st.caption(f"last delivered: {units.ago_text(one.last_delivered_at, now)}", width="content")
        if one.failure:
            st.markdown(f":red[{plain(one.failure)}]")
        if one.waiting:
            st.caption(f"{counted(one.waiting, 'message waits', 'messages wait')} for the next try.")


def _state(name: RuleName, settings: Alerts, standing: Sequence[Alert], last: Evaluation | None) -> str:
    rule = getattr(settings, name, None)
    if rule is not None and not rule.enabled:
        return "Switched off"
    if last is None:
        return "Never evaluated"
    if name in last.not_judged:
        return "Not judged (see below)"
    count = sum(one.rule == name for one in standing)
    return counted(count, "alert", "alerts") if count else "Fine"
