"""``python -m ms5ops watch`` and ``alerts``: evaluate the rules, and what people do with what they find."""

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ms5ops import collect as collecting
from ms5ops import units
from ms5ops.access import shell
from ms5ops.access.manage import allowed
from ms5ops.alerts import exposition
from ms5ops.alerts.actions import LONGEST_MUTE, Alerting
from ms5ops.alerts.candidate import TITLES, value_text
from ms5ops.alerts.delivery import Delivery
from ms5ops.alerts.state import Alert
from ms5ops.alerts.store import alert_store, evaluations, events, is_muted, mutes
from ms5ops.alerts.watching import Evaluated, evaluate
from ms5ops.cli.status import STYLES, EnvironmentOption, JsonOption
from ms5ops.cli.terminal import answers, narration
from ms5ops.config import Settings, load_settings
from ms5ops.errors import Ms5opsError
from ms5ops.history import History
from ms5ops.observe.finding import counted

app = typer.Typer(help="Alerts: list, acknowledge, mute, test the delivery.", no_args_is_help=True)
KeyArgument = Annotated[str, typer.Argument(metavar="ALERT", help="Its key, as `alerts list` shows it.")]
ReasonOption = Annotated[str, typer.Option("--reason", "-m", help="Why; others will read it.")]


def watch(  # noqa: PLR0917  # typer reads options from the signature
    environment: EnvironmentOption = None,
    once: Annotated[bool, typer.Option("--once", help="Evaluate once and end, for cron (the default).")] = False,
    every: Annotated[
        float | None,
        typer.Option(min=0.1, max=1440, metavar="MINUTES", help="Keep running, and evaluate at this interval."),
    ] = None,
    collect: Annotated[bool, typer.Option("--collect", help="Store a snapshot first, as `collect` does.")] = False,
    prometheus: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the metrics there, for node-exporter's textfile collector."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Evaluate the alert rules, and send what there is to tell.

    Exit codes of a single evaluation: 0 no critical alert is open, 1 one is (that nobody has acknowledged or muted), or
    a message could not be delivered, 2 not evaluated. With --every it runs until it is interrupted.
    """
    if once and every is not None:
        raise typer.BadParameter("Give --once or --every, not both.")
    if every is None:
        done = _evaluated(environment, collect=collect, prometheus=prometheus)
        _show_evaluated(done, as_json=as_json)
        if done.is_critical or any(one.failure for one in done.deliveries):
            raise typer.Exit(1)
        return
    while True:
        began = time.monotonic()
        try:
            _show_evaluated(_evaluated(environment, collect=collect, prometheus=prometheus), as_json=as_json)
        except Ms5opsError as error:  # the next evaluation may do better: a watcher that ends watches nothing
            narration.print(f"[bold red]Not evaluated:[/] {escape(error.happened)} {escape(error.next_step)}")
        time.sleep(max(0.0, every * 60 - (time.monotonic() - began)))


@app.command("list")
def list_alerts(
    environment: EnvironmentOption = None,
    history: Annotated[bool, typer.Option("--history", help="What happened to alerts, newest first.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the alerts that are open or acknowledged, as the last evaluation left them."""
    here = Alerting.here()
    name = here.service.settings.chosen(environment)
    if history:
        _show_history(here, name, as_json=as_json)
        return
    found, standing = here.open_alerts(name), mutes(here.store, name, here.store.now())
    last = evaluations(here.store).get(name)
    if as_json:
        values = [
            {**asdict(one), "since": one.since, "muted": is_muted(standing, name, one.key) is not None} for one in found
        ]
        told = {"environment": name, "evaluated_at": last.at if last else None, "alerts": values}
        _print_json({**told, "not_judged": dict(last.not_judged) if last else {}})
        return
    if last is None:
        typer.echo(f"The alerts of {name} were never evaluated: python -m ms5ops watch --once")
        return
    muted = frozenset(one.key for one in found if is_muted(standing, name, one.key))
    _show_alerts(found, muted, here.store.now())
    typer.echo(f"Evaluated {units.ago_text(last.at, here.store.now())}.")


@app.command("acknowledge")
def acknowledge(alert: KeyArgument, reason: ReasonOption, environment: EnvironmentOption = None) -> None:
    """Accept an alert: it is not sent again for as long as its condition lasts, unless it gets worse."""
    accepted = Alerting.here().acknowledge(shell.actor(), environment, alert, reason)
    typer.echo(f"Acknowledged: {accepted.subject}.")


@app.command("mute")
def mute(
    reason: ReasonOption,
    alert: Annotated[str | None, typer.Argument(metavar="[ALERT]", help="Its key; without: every alert there.")] = None,
    hours: Annotated[float, typer.Option(min=0.1, max=LONGEST_MUTE / timedelta(hours=1), help="For how long.")] = 8.0,
    environment: EnvironmentOption = None,
) -> None:
    """Tell nobody about an alert, or about an environment, for a time. It is still evaluated and shown."""
    until = Alerting.here().mute(shell.actor(), environment, alert, timedelta(hours=hours), reason)
    typer.echo(f"Muted until {units.instant_text(until)}.")


@app.command("unmute")
def unmute(
    alert: Annotated[str | None, typer.Argument(metavar="[ALERT]", help="Its key; without: the environment.")] = None,
    environment: EnvironmentOption = None,
) -> None:
    """End a mute."""
    ended = Alerting.here().unmute(shell.actor(), environment, alert)
    typer.echo("People are told again." if ended else "It was not muted.")


@app.command("test")
def send_test(
    channel: Annotated[str | None, typer.Argument(help="One channel; without: all that are configured.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Send a test alert. Exit code 1 where a channel did not take it."""
    done = Alerting.here().test(shell.actor(), channel)
    if as_json:
        _print_json([asdict(one) for one in done])
    else:
        _show_deliveries(done)
    if any(one.failure for one in done):
        raise typer.Exit(1)


def _evaluated(environment: str | None, *, collect: bool, prometheus: Path | None) -> Evaluated:
    settings: Settings = load_settings()
    name = settings.chosen(environment)
    allowed(shell.actor(), "collect", name)
    history = History(narrate=_narrate)
    if collect:
        try:
            collecting.collect(settings, name, history)
        except Ms5opsError as error:  # the rules say what that means: the server, or the snapshots
            narration.print(f"[yellow]No snapshot was stored:[/] {escape(error.happened)}")
    done = evaluate(settings, name, history=history, narrate=_narrate)
    if prometheus is not None:
        exposition.write(alert_store(), prometheus)
    return done


def _show_evaluated(done: Evaluated, *, as_json: bool) -> None:
    if as_json:
        values = {**asdict(done), "muted": sorted(done.muted), "is_critical": done.is_critical}
        typer.echo(json.dumps(values, default=_plain))
        return
    marked = "" if done.origin == "measured" else f" ({done.origin} data)"
    typer.echo(
        f"{done.environment}{marked}, {units.instant_text(done.at)}: "
        f"{counted(len(done.alerts), 'alert', 'alerts')}, {done.judged} of {len(TITLES)} rules judged."
    )
    for key, kind in done.events:
        typer.echo(f"  {kind}: {key}")
    _show_alerts(done.alerts, done.muted, done.at)
    for reason in dict.fromkeys(done.not_judged.values()):
        rules = ", ".join(rule for rule, why in done.not_judged.items() if why == reason)
        narration.print(f"[dim]Not judged: {rules}. {escape(reason)}[/]")
    _show_deliveries(done.deliveries)


def _show_alerts(found: tuple[Alert, ...], muted: frozenset[str], now: datetime) -> None:
    if not found:
        typer.echo("No alert is open.")
        return
    table = Table("Severity", "State", "Since", "Value", "Alarm at", "What", "Alert", box=None)
    for place, column in enumerate(table.columns):
        column.no_wrap, column.overflow = place < 5, "fold"  # a key that is cut cannot be acknowledged
    for one in sorted(found, key=lambda alert: (alert.severity != "critical", alert.since)):
        state = "muted" if one.key in muted else one.status
        style = STYLES[one.severity] if state == "open" else "dim"
        value = value_text(one.value, one.unit) if one.value is not None else units.MISSING
        limit = value_text(one.threshold, one.unit) if one.threshold is not None else units.MISSING
        table.add_row(
            f"[{style}]{one.severity}[/]", state, units.ago_text(one.since, now), value, limit, _line(one.sentence),
            _line(one.key),
        )  # fmt: skip
    answers().print(table)


def _show_history(here: Alerting, name: str, *, as_json: bool) -> None:
    found = events(here.store, name)
    if as_json:
        _print_json([asdict(one) for one in found])
        return
    table = Table("When", "What happened", "Severity", "Alert", "Who", "Reason", box=None)
    for one in found:
        table.add_row(
            units.instant_text(one.at), one.kind, one.severity, _line(one.key), _line(one.actor or ""),
            _line(one.reason or ""),
        )  # fmt: skip
    answers().print(table if found else "Nothing has happened yet.")


def _show_deliveries(done: tuple[Delivery, ...]) -> None:
    for one in done:
        if one.failure is None:
            typer.echo(f"Delivered to {one.channel}: {one.title}")
        else:
            narration.print(
                f"[yellow]Not delivered to {escape(one.channel)}:[/] {_line(f'{one.failure} {one.next_step}')}"
            )


def _line(text: str) -> str:
    """Text from elsewhere in one line of a terminal: control characters are shown, not obeyed."""
    return escape("".join(one if one.isprintable() else repr(one)[1:-1] for one in text))


def _narrate(line: str) -> None:
    narration.print(escape(line))


def _print_json(values: object) -> None:
    typer.echo(json.dumps(values, indent=2, default=_plain))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, frozenset | tuple):
        return sorted(value) if isinstance(value, frozenset) else list(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")
