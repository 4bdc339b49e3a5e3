"""``python -m ms5ops status`` and ``collect``: the readings of all pages, shown and kept."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from ms5ops import __version__, units
from ms5ops import collect as collecting
from ms5ops.access import shell
from ms5ops.access.manage import allowed
from ms5ops.cli.terminal import answers
from ms5ops.config import load_settings
from ms5ops.control.policy_sets import server_of
from ms5ops.environments import connect
from ms5ops.observe.absence import of_this_database
from ms5ops.observe.diagnoses import diagnoses
from ms5ops.observe.health import Finding, findings, worst
from ms5ops.observe.jobs import job_state
from ms5ops.observe.overview import Overview, as_plain, long_lists, read_all
from ms5ops.observe.routine import routine
from ms5ops.observe.tables import short_name

EnvironmentOption = Annotated[
    str | None, typer.Option("--environment", "-e", help="The environment; by default the one that is configured.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
STYLES = {"critical": "bold red", "warning": "yellow", "info": "blue", "nothing": "dim", "ok": "green"}


def status(
    environment: EnvironmentOption = None,
    as_json: JsonOption = False,
    full: Annotated[
        bool, typer.Option("--full", help="With --json: every chunk, day of growth and job run, too.")
    ] = False,
) -> None:
    """Show what the pages show: findings, tables, compression, jobs, aggregates, indexes.

    Exit code 1 where a finding is critical.
    """
    connected = connect(load_settings(), environment)
    overview = read_all(server_of(connected))
    found = findings(overview)
    if as_json:
        about = {"tool_version": __version__, "environment": connected.name, "origin": connected.origin}
        judged = {"findings": found, "diagnoses": diagnoses(overview), "routine": routine(overview, found)}
        lists = {"lists": long_lists(overview)} if full else {}
        typer.echo(json.dumps({**about, **as_plain({**judged, **lists}), **as_plain(overview)}, indent=2, default=str))
    else:
        _show(answers(), connected.name, connected.origin, overview, found)
    if worst(found) == "critical":
        raise typer.Exit(1)


def collect(environment: EnvironmentOption = None, as_json: JsonOption = False) -> None:
    """Store a snapshot (storage, compression, jobs, aggregates) and new job runs in the history, for cron."""
    settings = load_settings()
    allowed(shell.actor(), "collect", settings.chosen(environment))
    done = collecting.collect(settings, environment)
    if as_json:
        typer.echo(json.dumps(as_plain(done), indent=2))
        return
    did = "Took" if done.waiting else "Stored"
    typer.echo(
        f"{did} a snapshot of {done.environment} at {units.instant_text(done.taken_at)}:"
        f" {done.tables} tables, {done.jobs} jobs, {done.aggregates} aggregates."
    )
    if done.waiting:
        typer.echo(f"It is not in the history yet: it waits in {done.waiting}, and the next writer takes it in.")
    for name, error in done.unread.items():
        typer.echo(f"Not read: {name}. {error.happened} {error.next_step}", err=True)


def _show(console: Console, name: str, origin: str, overview: Overview, found: list[Finding]) -> None:
    size = overview.database_size.value
    console.print(f"[bold]{escape(name)}[/] ({origin} data), {overview.server.version_text}")
    server = overview.server
    console.print(
        f"{escape(server.database.target.address)}, schema {escape(server.schema)},"
        f" read {units.instant_text(overview.now)}, database {units.bytes_text(size.size_bytes if size else None)}\n"
    )
    for one in found:
        console.print(f"[{STYLES[one.severity]}]{one.severity:>8}[/]  {escape(one.title)}. {escape(one.detail)}")
        if one.remedy:
            console.print(f"          [dim]{escape(one.remedy)}[/]")
    console.print()
    _show_tables(console, overview)
    _show_jobs(console, overview)
    _show_aggregates(console, overview)
    for section, error in overview.errors().items():
        console.print(f"[yellow]Not read: {section}.[/] {escape(error.happened)} {escape(error.next_step)}")


def _cut_nothing(table: RichTable, names: Sequence[int]) -> None:
    """Where the terminal is narrow, fold the columns that hold names, and leave the others whole."""
    for place, column in enumerate(table.columns):
        column.overflow, column.no_wrap = "fold", place not in names


def _show_tables(console: Console, overview: Overview) -> None:
    schema = overview.server.schema
    compression = {one.table: one for one in overview.compression.found(())}
    table = RichTable("Table", "Kind", "Rows (about)", "Size", "Chunks", "Compressed", "Ratio", "Backlog", box=None)
    _cut_nothing(table, names=(0,))
    for one in of_this_database(overview.tables.found(())):
        record = compression.get(one.qualified)
        table.add_row(
            escape(short_name(one.qualified, schema)),
            "aggregate" if one.kind == "continuous aggregate" else one.kind,
            units.count_text(one.rows),
            units.bytes_text(one.size_bytes),
            units.count_text(one.chunks if one.is_chunked else None),
            units.count_text(one.compressed_chunks if one.is_chunked else None),
            units.ratio_text(record.ratio if record else None),
            units.count_text(record.backlog_chunks if record and record.job_id else None),
        )
    console.print(table)
    console.print()


def _show_jobs(console: Console, overview: Overview) -> None:
    schema = overview.server.schema
    jobs = overview.jobs.found(())
    if not jobs:
        console.print("No background jobs.\n")
        return
    table = RichTable(
        "Job", "Kind", "Works on", "State", "Every", "Last start", "Next start", "Runs", "Failed", box=None
    )
    _cut_nothing(table, names=(1, 2))
    for job in jobs:
        table.add_row(
            str(job.job_id),
            job.kind,
            escape(short_name(job.target or job.name, schema)),
            job_state(job, overview.now, overview.server.started_at),
            units.interval_text(job.schedule_interval),
            units.ago_text(job.last_start, overview.now),
            units.ago_text(job.next_start, overview.now),
            units.count_text(job.total_runs),
            units.count_text(job.total_failures),
        )
    console.print(table)
    console.print()


def _show_aggregates(console: Console, overview: Overview) -> None:
    schema = overview.server.schema
    aggregates = overview.aggregates.found(())
    if not aggregates:
        return
    table = RichTable("Continuous aggregate", "Reads", "Size", "Behind its source", "Promised", box=None)
    _cut_nothing(table, names=(0, 1))
    for one in aggregates:
        table.add_row(
            escape(short_name(one.aggregate, schema)),
            escape(short_name(one.source, schema)),
            units.bytes_text(one.size_bytes),
            "up to date" if one.lag_behind_source == timedelta(0) else units.interval_text(one.lag_behind_source),
            units.interval_text(one.promised),
        )
    console.print(table)
    console.print()
