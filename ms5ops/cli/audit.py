"""``python -m ms5ops audit``: who did what, and whether the log of it is whole."""

import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ms5ops import units
from ms5ops.access import manage, shell
from ms5ops.access.audit import Head, Verification
from ms5ops.access.audit_export import as_csv, as_json, chosen, details_text
from ms5ops.cli.status import JsonOption
from ms5ops.cli.terminal import answers, narration
from ms5ops.config import load_settings
from ms5ops.control import anchors
from ms5ops.errors import AuditError
from ms5ops.observe.finding import counted

app = typer.Typer(help="The audit log: list, verify, export.", no_args_is_help=True)
SinceOption = Annotated[
    datetime | None,
    typer.Option("--since", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"], help="From then on, in UTC."),
]
STYLES = {"done": "green", "begun": "blue", "refused": "yellow", "failed": "bold red"}


class Format(StrEnum):
    """How the log is exported."""

    CSV = "csv"
    JSON = "json"


@app.command("list")
def show(
    since: SinceOption = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="No more entries than this.")] = 200,
    as_json_values: JsonOption = False,
) -> None:
    """List the newest entries, newest first."""
    actor = shell.actor()
    found = chosen(manage.read_audit(actor), since=_utc(since))[:limit]
    if as_json_values:
        typer.echo(as_json(found, manage.verify_audit(actor)))
        return
    table = Table("#", "When", "Who", "What", "To", "Outcome", "Details", box=None)
    for entry in found:
        who = f"{entry.actor} ({', '.join(filter(None, (entry.role, entry.provider)))})" if entry.role else entry.actor
        style = STYLES.get(entry.outcome, "default")
        table.add_row(
            str(entry.number), units.instant_text(entry.at), _line(who), _line(entry.action), _line(entry.subject),
            f"[{style}]{_line(entry.outcome)}[/]", _line(details_text(entry)),
        )  # fmt: skip
    answers().print(table if found else "There are no entries.")


@app.command()
def verify(
    head: Annotated[
        list[str] | None, typer.Option("--head", help="A head that was noted elsewhere (several times: several).")
    ] = None,
    as_json_values: JsonOption = False,
) -> None:
    """Say whether entries were changed, moved, removed or cut off. Exit code 0: none were, 1: some were.

    Heads that deployments noted in the journals of the databases are looked for as well, where those can be read.
    """
    given = tuple(Head.parse(one) for one in head or ())
    actor = shell.actor()
    manage.verify_audit(actor)  # refused before any database is asked
    anchored = anchors.read(load_settings())
    found = manage.verify_audit(actor, kept=(*given, *anchored.heads))
    if as_json_values:
        values = {"intact": found.intact, "findings": list(found.findings), "head": str(found.head)}
        journals = {"heads_in_journals": len(anchored.heads), "journals_not_read": anchored.unread}
        typer.echo(json.dumps({"entries": found.entries, **values, **journals}, indent=2))
    else:
        _show_verification(found)
        narration.print(f"Compared with {counted(len(anchored.heads), 'head', 'heads')} in the journals of databases.")
        for name, why in anchored.unread.items():
            narration.print(f"Not compared with the journal of {escape(name)}: {escape(why)}")
    if not found.intact:
        raise typer.Exit(1)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it; - for stdout.")],
    form: Annotated[Format, typer.Option("--format", help="CSV, or JSON with the head.")] = Format.CSV,
    since: SinceOption = None,
) -> None:
    """Write the log to a file; its head, to be kept elsewhere, goes to stderr. An existing file is not overwritten."""
    actor = shell.actor()
    found = chosen(manage.read_audit(actor), since=_utc(since))
    verification = manage.verify_audit(actor)
    text = as_csv(found) if form is Format.CSV else as_json(found, verification)
    if str(file) == "-":
        typer.echo(text, nl=False)
    else:
        try:
            with file.open("x", encoding="utf-8", newline="") as out:
                out.write(text)
        except OSError as error:
            raise AuditError(f"{file} could not be written ({error.strerror}).", "Name another file.") from error
    narration.print(f"{len(found)} entries. Head: {verification.head}")
    if not verification.intact:
        narration.print("[bold red]The log is not whole:[/] python -m ms5ops audit verify")


def _show_verification(found: Verification) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if found.intact:
        console.print(f"[green]Whole[/]: {units.count_text(found.entries)} entries, none changed, moved or missing.")
    for finding in found.findings:
        console.print(f"[bold red]{escape(finding)}[/]")
    console.print(f"Head: {found.head}")


def _line(text: str) -> str:
    """Text from elsewhere in one line of a terminal: control characters are shown, not obeyed."""
    return escape("".join(one if one.isprintable() else repr(one)[1:-1] for one in text))


def _utc(instant: datetime | None) -> datetime | None:
    return instant.replace(tzinfo=UTC) if instant and instant.tzinfo is None else instant
