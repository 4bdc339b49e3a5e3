"""``python -m ms5ops history``: where the history is, and the whole of it from one place to another."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ms5ops import units
from ms5ops.access import shell
from ms5ops.access.roles import require
from ms5ops.benchmark.transfer import import_paths
from ms5ops.cli.benchmark_store import OutOption, PathsArgument, default_folder, imported_text
from ms5ops.cli.benchmark_store import history as configured
from ms5ops.cli.status import JsonOption
from ms5ops.history.shared import SharedFolder

app = typer.Typer(help="The history: where it is, export, import, share.", no_args_is_help=True)
COUNTED = {"snapshots": "Snapshots", "job_runs": "Job runs", "benchmark_runs": "Benchmark runs", "samples": "Samples"}


@app.command("show")
def show(as_json: JsonOption = False) -> None:
    """Show where the history is kept, how much it holds, and what waits to be taken in."""
    history = configured()
    counts = history.read("contents")
    row = {} if counts.empty else {str(name): int(value) for name, value in counts.iloc[0].items()}
    size = history.file.stat().st_size if history.file.exists() else None
    waiting = [str(bundle) for bundle in history.waiting()]
    if as_json:
        told = {"address": history.address, "file": str(history.file), "size_bytes": size, **row, "waiting": waiting}
        typer.echo(json.dumps(told, indent=2))
        return
    typer.echo(f"The history is kept in {history.address}.")
    if history.shared is not None:
        typer.echo(f"This host reads its copy in {history.file}.")
    typer.echo(f"Size: {units.bytes_text(size)}")
    for name, title in COUNTED.items():
        typer.echo(f"{title}: {units.count_text(row.get(name, 0))}")
    for bundle in waiting:
        typer.echo(f"Waits to be taken in: {bundle}")


@app.command("export")
def export(out: OutOption = None) -> None:
    """Write everything (snapshots, job runs, benchmark runs) as a folder of Parquet files."""
    folder = out or default_folder()
    held = configured().export(folder)
    rows = sum(file.rows for file in held.tables.values())
    typer.echo(f"Wrote {units.count_text(rows)} rows to {folder}.")


@app.command("import")
def import_(paths: PathsArgument) -> None:
    """Take in exported folders. What is in the history already adds nothing."""
    require(shell.actor(), "collect")
    for one in import_paths(configured(), paths, {}):
        typer.echo(imported_text(one))


@app.command("share")
def share(
    folder: Annotated[Path, typer.Argument(help="A folder that several hosts reach, empty or new.")],
) -> None:
    """Prepare a folder as a history that several hosts share; then set MS5OPS_HISTORY to it on each."""
    whole = folder.resolve()
    is_new = SharedFolder(whole).prepare()
    typer.echo(f"{whole} {'is now' if is_new else 'already was'} a shared history. Use it on each host by")
    typer.echo(f"  export MS5OPS_HISTORY={whole.as_uri()}")
    typer.echo('or by history = "' + whole.as_uri() + '" in ms5ops.toml. Bring along what a host has so far:')
    typer.echo(
        "  python -m ms5ops history export --out FOLDER, and after the change python -m ms5ops history import FOLDER"
    )
