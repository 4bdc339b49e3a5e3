"""``python -m ms5ops work``: the process of a run. The console starts it; nobody types it."""

from typing import Annotated

import typer

from ms5ops.control import runs, worker


def work(run: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Do what a run was asked for."""
    outcome, why = worker.work(run)
    typer.echo(f"{outcome}. {why}".strip(), err=True)
    if outcome not in runs.WELL_ENDED:
        raise typer.Exit(1)
