"""``python -m ms5ops conversions``: what conversions have kept of the tables that they replaced, and dropping that."""

import json
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ms5ops.access import shell
from ms5ops.cli import rollout
from ms5ops.cli.rollout import ConfirmOption, OutsideWindowOption, YesOption
from ms5ops.cli.status import EnvironmentOption, JsonOption
from ms5ops.cli.terminal import answers, narration
from ms5ops.control.service import Service
from ms5ops.environments import connect
from ms5ops.observe.overview import as_plain
from ms5ops.rollout.kept_tables import kept_table, kept_tables
from ms5ops.units import bytes_text, instant_text

app = typer.Typer(help="Tables that conversions have replaced and kept: list them, drop one.")


@app.callback(invoke_without_command=True)
def conversions(context: typer.Context, environment: EnvironmentOption = None, as_json: JsonOption = False) -> None:
    """List the tables that conversions have kept: size, since when, by which deployment."""
    if context.invoked_subcommand is not None:
        context.obj = environment
        return
    connected = connect(Service.here().settings, environment)
    found = kept_tables(connected.database)
    if as_json:
        typer.echo(json.dumps(as_plain(found), indent=2, default=str))
        return
    if not found:
        typer.echo("No conversion has kept a table.")
        return
    table = Table("Kept", "What", "Instead of it there is", "Size", "Since (UTC)", "By", box=None)
    for place, column in enumerate(table.columns):
        column.no_wrap, column.overflow = place == 0, "fold"  # a name that is cut cannot be dropped
    for one in found:
        by = f"deployment {one.number}" if one.number is not None else "a conversion by itself"
        now = f"{one.table}, a {'hypertable' if one.kind == 'plain table' else 'plain table'}"
        table.add_row(escape(one.name), one.kind, escape(now), bytes_text(one.size_bytes), instant_text(one.since), by)
    answers().print(table)
    narration.print("When nobody misses anything: python -m ms5ops conversions drop KEPT")


@app.command("drop")
def drop(  # noqa: PLR0917 - the command's options
    context: typer.Context,
    kept: Annotated[str, typer.Argument(metavar="KEPT", help="The kept table, as it is listed.")],
    environment: EnvironmentOption = None,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    outside_window: OutsideWindowOption = None,
) -> None:
    """Drop a kept table: its rows, as they were when the tables were exchanged, are gone for good."""
    service = Service.here()
    actor = service.allow(shell.actor(), "apply", environment or context.obj)
    connected = connect(service.settings, environment or context.obj)
    found = kept_table(connected.database, kept)
    what = f"Drop {found.name} ({found.kind}, {bytes_text(found.size_bytes)}) for good"
    rollout.confirm(connected, what, yes, confirm)
    service.drop_kept(actor, connected.name, found.name, typed=connected.name, outside_window=outside_window)
    narration.print(f"Dropped {escape(found.name)}: {bytes_text(found.size_bytes)} are free again.")
