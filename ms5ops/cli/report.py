"""``python -m ms5ops report``: a month as one HTML file, to be mailed or printed, or as PDF."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ms5ops.access import shell
from ms5ops.cli.status import EnvironmentOption
from ms5ops.cli.terminal import narration
from ms5ops.config import load_settings
from ms5ops.control.policy_sets import server_of
from ms5ops.environments import connect
from ms5ops.errors import ServerUnreachable
from ms5ops.history import History
from ms5ops.observe.overview import Overview, read_all
from ms5ops.reports import chromium
from ms5ops.reports.month import ReportError, last_whole_month, month_named
from ms5ops.reports.month_reading import read_month
from ms5ops.reports.monthly import file_name, monthly_html, summary_line


def report(
    month: Annotated[
        str | None, typer.Option("--month", "-m", help="As 2026-10 (UTC); by default the one that ended last.")
    ] = None,
    environment: EnvironmentOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Where to write it; by default into this folder, - for standard output. As PDF where it ends in .pdf.",
        ),
    ] = None,
) -> None:
    """Write a month's report: scorecard, storage, compression, jobs, benchmarks, changes and alerts as one HTML file.

    It holds no script and loads nothing, and prints well on A4. A PDF is printed by the Chromium, Chrome or Edge that
    is installed here (MS5OPS_CHROMIUM names another one).
    """
    is_pdf = out is not None and out.suffix.lower() == ".pdf"
    if is_pdf:
        chromium.found()  # or it is told before a minute's work, not after
    settings, now = load_settings(), datetime.now(UTC)
    wanted = last_whole_month(now) if month is None else month_named(month, now)
    connected = connect(settings, environment)
    try:
        overview: Overview | None = None
        try:
            overview = read_all(server_of(connected))
        except ServerUnreachable as error:
            narration.print(f"Without the server itself: {escape(error.happened)}")
        facts = read_month(settings, connected, overview, History(), wanted, reader=shell.actor())
    finally:
        connected.database.close()
    html = monthly_html(facts)
    if out is not None and str(out) == "-":
        sys.stdout.write(html)
        return
    file = out or Path(file_name(connected.name, wanted.name))
    content = chromium.pdf(html) if is_pdf else html.encode()
    try:
        _write(file, content)
    except OSError as error:
        raise ReportError(
            f"{file} cannot be written: {error.strerror}.", "Name a file in a folder that this user may write to."
        ) from error
    narration.print(escape(summary_line(facts)))
    typer.echo(file)


def _write(file: Path, content: bytes) -> None:
    """Whole or not at all, where it is a file; a device or a pipe gets it as it comes."""
    if file.exists() and not file.is_file():
        file.write_bytes(content)
        return
    beside = file.with_name(f".{file.name}.new")
    try:
        beside.write_bytes(content)
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
