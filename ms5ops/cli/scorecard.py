"""``python -m ms5ops scorecard``: every success criterion beside what was measured."""

import json

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from ms5ops import units
from ms5ops.cli.status import STYLES, EnvironmentOption, JsonOption
from ms5ops.cli.terminal import answers
from ms5ops.config import load_settings
from ms5ops.control.policy_sets import server_of
from ms5ops.environments import connect
from ms5ops.history import History
from ms5ops.observe.overview import as_plain, read_all
from ms5ops.scorecard.reading import read_scorecard
from ms5ops.scorecard.records import AREAS, Criterion, Scorecard, Trend

MARKS = {"met": "[green]met[/]", "not met": "[bold red]not met[/]", "not measured yet": "[dim]not measured yet[/]"}


def scorecard(environment: EnvironmentOption = None, as_json: JsonOption = False) -> None:
    """Show the success criteria: target, measured value, when and by what, trend, met or not.

    Exit code 0 whatever was met; nothing is assumed of what was not measured.
    """
    settings = load_settings()
    connected = connect(settings, environment)
    try:
        overview = read_all(server_of(connected))
        found = read_scorecard(settings, connected, overview, History())
    finally:
        connected.database.close()
    if as_json:
        typer.echo(json.dumps(as_plain(found.to_json()), indent=2))
        return
    _show(answers(), found)


def _show(console: Console, found: Scorecard) -> None:
    console.print(
        f"[bold]{escape(found.environment)}[/] ({found.origin} data), read {units.instant_text(found.now)}\n"
        f"[{STYLES[found.verdict.severity]}]{escape(found.verdict.text)}[/]"
    )
    for area in AREAS:
        table = RichTable(area.capitalize(), "Target", "Measured", "Status", "When", "Trend", "Why", box=None)
        for place, column in enumerate(table.columns):
            column.overflow, column.no_wrap = "fold", place == 4
        for one in found.of(area):
            table.add_row(*_row(one, found))
        console.print()
        console.print(table)
    _show_ways(console, found)


def _row(one: Criterion, found: Scorecard) -> tuple[str, ...]:
    answer = one.answer
    origin = f" ({answer.origin})" if answer.origin not in (None, found.origin) else ""
    return (
        escape(one.question.title),
        one.question.target,
        escape(answer.text) + origin,
        MARKS[answer.status],
        units.instant_text(answer.measured_at),
        _trend(answer.trend) if answer.trend else units.MISSING,
        escape(answer.reason),
    )


def _trend(found: Trend) -> str:
    return escape(found.text) + (f" ({found.origin})" if found.origin else "")


def _show_ways(console: Console, found: Scorecard) -> None:
    ways = {one.question.measure.command for one in found.criteria if one.answer.status == "not measured yet"}
    shown = {one.command: None for criterion in found.criteria for one in criterion.answer.evidence}
    for title, commands in (("What is not measured yet is measured by:", sorted(ways)), ("Evidence:", list(shown))):
        if commands:
            console.print(f"\n{title}")
            for command in commands:
                console.print(f"  {escape(command)}", soft_wrap=True)
