"""``python -m ms5ops benchmark list``, ``show``, ``export`` and ``import``: the stored runs, and their travels."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table as RichTable

from ms5ops import units
from ms5ops.access import shell
from ms5ops.access.roles import require
from ms5ops.benchmark.records import Run, RunHeader, Surroundings
from ms5ops.benchmark.run_summary import benchmark_title, kept, marks, run_title, target_text, value_text, verdict
from ms5ops.benchmark.selection import select
from ms5ops.benchmark.store import load_run, run_headers
from ms5ops.benchmark.transfer import Imported, chosen_runs, import_paths
from ms5ops.cli.status import STYLES, EnvironmentOption, JsonOption
from ms5ops.cli.terminal import answers
from ms5ops.config import SANDBOX, Settings, load_settings
from ms5ops.environments import connect, source_id
from ms5ops.errors import BenchmarkError
from ms5ops.history import History
from ms5ops.observe.finding import counted
from ms5ops.observe.overview import as_plain

OutOption = Annotated[
    Path | None, typer.Option("--out", "-o", help="The folder to make; by default ms5ops-history-DATE here.")
]
PathsArgument = Annotated[list[Path], typer.Argument(help="Folders of exports, and JSON or text reports.")]


def history() -> History:
    """The configured history; what is waited for is told on stderr."""
    return History(narrate=lambda line: typer.echo(line, err=True))


def list_runs(environment: EnvironmentOption = None, as_json: JsonOption = False) -> None:
    """List the stored benchmark runs, newest first."""
    headers = [one for one in reversed(run_headers(history())) if environment in (None, one.environment)]
    if as_json:
        typer.echo(json.dumps(as_plain(headers), indent=2))
        return
    if not headers:
        typer.echo("No benchmark run is stored. Take one with `python -m ms5ops benchmark run`.")
        return
    table = RichTable("Run", "Started", "Environment", "Label", "Took", "Marks", box=None)
    for one in headers:
        took = None if one.is_summary else (one.finished_at - one.started_at).total_seconds()
        table.add_row(
            one.run_id[:8],
            units.instant_text(one.started_at),
            escape(one.environment),
            escape(one.label or ""),
            units.duration_text(took),
            ", ".join(marks(one)),
        )
    answers().print(table)


def show_run(
    run: Annotated[str, typer.Argument(help="The beginning of its id, its label, or latest.")],
    as_json: JsonOption = False,
) -> None:
    """Show one run: what it was taken on, and every benchmark against its target."""
    store = history()
    found = load_run(store, _one(select(run, run_headers(store)).headers, run).run_id)
    if as_json:
        plain = {"header": as_plain(found.header), "results": as_plain(found.results)}
        typer.echo(json.dumps({**plain, "samples": len(found.samples)}, indent=2))
        return
    print_run(found)


def print_run(found: Run) -> None:
    """A run for people: what it was taken on, and every benchmark against its target."""
    console, judged = answers(), verdict(found)
    console.print(f"[bold]{escape(run_title(found.header))}[/], run {found.header.run_id}")
    told = [f"environment {found.header.environment}", f"by {found.header.actor}", *marks(found.header)]
    console.print(escape(", ".join(told)))
    if found.header.surroundings:
        console.print(escape(_surroundings(found.header.surroundings)))
    if found.header.note:
        console.print(escape(found.header.note))
    console.print(f"[{STYLES[judged.severity]}]{escape(judged.text)}[/]\n")
    table = RichTable("Benchmark", "Group", "Median", "p95", "Target", "Kept", "Samples", "Outcome", box=None)
    for result in found.results:
        table.add_row(
            escape(benchmark_title(result.benchmark)),
            result.group or result.kind,
            value_text(result.median, result.unit),
            value_text(result.p95, result.unit),
            target_text(result.target_p95, result.unit),
            kept(result),
            units.count_text(result.samples),
            escape(result.outcome if result.message is None else f"{result.outcome}: {result.message}"),
        )
    console.print(table)


def export(
    selectors: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN]...", help="Ids, labels or months (2026-10); by default every run."),
    ] = None,
    out: OutOption = None,
) -> None:
    """Write benchmark runs as a folder of Parquet files that another history can import."""
    store = history()
    headers = run_headers(store)
    if not headers:
        raise BenchmarkError("No benchmark run is stored.", "Take one with `python -m ms5ops benchmark run`.")
    runs = chosen_runs(headers, selectors) if selectors else list(headers)
    folder = out or default_folder()
    held = store.export(folder, [one.run_id for one in runs])
    samples = held.tables["benchmark_sample"].rows
    typer.echo(f"Wrote {counted(len(runs), 'run', 'runs')} with {counted(samples, 'sample', 'samples')} to {folder}.")


def import_runs(paths: PathsArgument, as_json: JsonOption = False) -> None:
    """Take in exports, and reports of the old shell benchmark (as summaries). What is there already adds nothing."""
    require(shell.actor(), "collect")
    store = history()
    done = import_paths(store, paths, _sources(load_settings()))
    if as_json:
        typer.echo(json.dumps([_plain(one) for one in done], indent=2))
        return
    for one in done:
        typer.echo(imported_text(one))


def imported_text(one: Imported) -> str:
    """What came of one path, in a sentence."""
    if one.run is not None:
        header, count = one.run.header, counted(len(one.run.results), "query", "queries")
        what = f"a summary of {count} from {units.instant_text(header.started_at)}, environment {header.environment}"
        return f"{one.path}: {what}. {'Stored.' if one.is_new else 'It is in the history already.'}"
    words = {"benchmark_run": ("benchmark run", "benchmark runs"), "snapshot": ("snapshot", "snapshots"),
             "job_run": ("job run", "job runs")}  # fmt: skip
    told = [
        f"{one.added[table]:,} of {counted(one.held[table], *word)}"
        for table, word in words.items()
        if one.held.get(table)
    ]
    if not told:
        return f"{one.path}: it holds nothing."
    return f"{one.path}: {', '.join(told)} new." if one.is_new else f"{one.path}: everything is in the history already."


def default_folder() -> Path:
    """Where an export goes when nobody says: ``ms5ops-history-20261123-0915`` in the working folder."""
    return Path(f"ms5ops-history-{datetime.now(UTC):%Y%m%d-%H%M%S}")


def _sources(settings: Settings) -> dict[str, str]:
    """What the history calls each configured server; that needs no connection. The sandbox never wrote a report."""
    found = {}
    for name in settings.environments:
        if name != SANDBOX:
            connected = connect(settings, name)
            found[name] = source_id(connected)
            connected.database.close()
    return found


def _one(headers: tuple[RunHeader, ...], word: str) -> RunHeader:
    if len(headers) > 1:
        raise BenchmarkError(
            f"{word} means {counted(len(headers), 'run', 'runs')}.",
            f"Give the beginning of one id: {', '.join(one.run_id[:8] for one in headers[:5])}.",
        )
    return headers[0]


def _surroundings(told: Surroundings) -> str:
    return (
        f"PostgreSQL {told.postgres_version}, TimescaleDB {told.timescaledb_version} ({told.edition}),"
        f" {units.bytes_text(told.database_bytes)}, {units.count_text(told.rows)} rows,"
        f" {units.percent_text(told.compressed_share)} compressed, ms5ops {told.tool_version}"
    )


def _plain(one: Imported) -> dict[str, object]:
    run_id = None if one.run is None else one.run.header.run_id
    waits = None if one.spooled is None else str(one.spooled.bundle)
    return {"path": str(one.path), "added": dict(one.added), "held": dict(one.held), "run_id": run_id, "spooled": waits}
