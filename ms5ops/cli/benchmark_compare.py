"""``python -m ms5ops benchmark compare`` and ``trends``: what a change brought, and how speeds went month by month."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from ms5ops.benchmark.compare import Comparison, Side, compare
from ms5ops.benchmark.comparison_summary import WEIGHTS, headline, promise_frame, verdict_frame
from ms5ops.benchmark.records import Run, RunHeader
from ms5ops.benchmark.sampling import samples_frame
from ms5ops.benchmark.selection import DeploymentSpan, Selected, select
from ms5ops.benchmark.sides import deployment_names, deployment_spans, outside_figures, sizes_beside
from ms5ops.benchmark.store import load_results, load_runs, run_headers
from ms5ops.benchmark.trend_summary import change_frame, month_table
from ms5ops.benchmark.trend_summary import headline as trend_headline
from ms5ops.benchmark.trends import trends
from ms5ops.benchmark.verdicts import BASIS_WORDS, Options, Verdict
from ms5ops.cli.benchmark_store import history
from ms5ops.cli.status import STYLES, EnvironmentOption, JsonOption
from ms5ops.cli.terminal import answers, narration
from ms5ops.config import load_settings
from ms5ops.control.policy_sets import server_of
from ms5ops.environments import Connected, connect, source_id
from ms5ops.errors import BenchmarkError, ConfigError, Ms5opsError
from ms5ops.history import History
from ms5ops.observe.overview import as_plain, read_all
from ms5ops.observe.savings import savings
from ms5ops.reports.comparison import comparison_html

EXIT_WORSE = 1
"""``compare --fail-on``: some benchmark got that verdict, or a worse one."""


class FailOn(StrEnum):
    """Verdicts that a check in CI can fail on, from the gravest; each includes those before it."""

    SLOWER = "slower"
    NOT_COMPARABLE = "not-comparable"
    INCONCLUSIVE = "inconclusive"


_VERDICTS: dict[FailOn, Verdict] = {
    FailOn.SLOWER: "slower",
    FailOn.NOT_COMPARABLE: "not comparable",
    FailOn.INCONCLUSIVE: "inconclusive",
}
SIDE = "An id (its beginning), a label, a month (2026-10), latest, previous, before:3 or after:3 (deployment 3)."


def compare_runs(
    before: Annotated[str, typer.Argument(help=SIDE)],
    after: Annotated[str, typer.Argument(help="As BEFORE.")],
    *,
    environment: EnvironmentOption = None,
    margin: Annotated[
        float, typer.Option("--margin", help="What counts as no change, as a share: 0.05 is 5 %.")
    ] = Options().margin,
    fail_on: Annotated[
        FailOn | None, typer.Option("--fail-on", help="Exit with 1 where a benchmark got this verdict, or a worse one.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Also write a report to share: one HTML file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two sides of benchmark runs: a verdict per benchmark, with its effect and how sure it is.

    Exit code 0: compared. 1: compared, and what --fail-on names was found. 2: not compared.
    """
    store = history()
    headers = _headers(store, environment)
    around = any(word.strip().startswith(("before:", "after:")) for word in (before, after))
    connected = _reachable(environment, wanted=around) if around or html is not None else None
    deployments = _deployments(connected) if connected else ()
    old, new = (select(word, headers, deployments) for word in (before, after))
    stored = store.read("storage_snapshots", {"source": new.headers[-1].source})
    saved = _saved_share(connected) if connected else None
    outside = outside_figures(
        sizes_beside(stored, new.headers), headers, old.headers, new.headers, saved, deployments=deployments
    )
    sides = _loaded(store, old), _loaded(store, new)
    found = compare(*sides, Options(margin=margin), outside, deployment_names(deployments))
    if html is not None:
        _write(html, comparison_html(found))
    if as_json:
        typer.echo(json.dumps(found.as_plain(), indent=2))
    else:
        _show(found)
    if fail_on is not None and found.fails(_VERDICTS[fail_on]):
        narration.print(f"At least one benchmark is {found.worst}: --fail-on {fail_on.value}.")
        raise typer.Exit(EXIT_WORSE)


def show_trends(environment: EnvironmentOption = None, as_json: JsonOption = False) -> None:
    """Show every benchmark month by month, where its level changed, and what happened then."""
    store = history()
    headers = _headers(store, environment)
    connected = _reachable(environment, wanted=False)
    deployments = _deployments(connected) if connected else ()
    results = load_results(store, [one.run_id for one in headers])
    none = samples_frame({})
    runs = [Run(one, results.get(one.run_id, ()), none) for one in headers]
    found = trends(runs, deployments, deployment_names(deployments))
    if as_json:
        typer.echo(json.dumps({**as_plain(found), "regressions": as_plain(found.regressions)}, indent=2, default=str))
        return
    console, judged = answers(), trend_headline(found)
    console.print(f"[{STYLES[judged.severity]}]{escape(judged.text)}[/]\n")
    table, months = month_table(found.series)
    _print(console, table, {"title": "Median of", "group": "Group", **{month: month for month in months}})
    changes = change_frame(found)
    if not changes.empty:
        changes["until"] = changes["until"].dt.strftime("%Y-%m-%d")
        _print(console, changes, {"title": "Changed", "verdict": "How", "change": "By", "before": "From", "after": "To",
                                  "until": "By the run of", "event": "What changed then"})  # fmt: skip


def _headers(store: History, environment: str | None) -> tuple[RunHeader, ...]:
    every = run_headers(store)
    if environment is None:
        return every
    found = tuple(one for one in every if one.environment == environment)
    if every and not found:
        names = ", ".join(sorted({one.environment for one in every}))
        raise BenchmarkError(f"No benchmark run of {environment} is stored.", f"There are runs of: {names}.")
    return found


def _reachable(environment: str | None, *, wanted: bool) -> Connected | None:
    """The environment; where it cannot be read and nobody asked for its deployments, that is told, and None."""
    try:
        connected = connect(load_settings(), environment)
        connected.database.rows("SELECT 1 AS reached")
    except ConfigError:
        raise
    except Ms5opsError as error:
        if wanted:
            raise
        narration.print(f"Without the server's journal and compression: {escape(error.happened)}")
        return None
    return connected


def _deployments(connected: Connected) -> tuple[DeploymentSpan, ...]:
    return deployment_spans(connected.database, source_id(connected))


def _loaded(store: History, selected: Selected) -> Side:
    return Side(selected.name, load_runs(store, [one.run_id for one in selected.headers]))


def _saved_share(connected: Connected) -> float | None:
    """What compression saves now of what it took in; None where that could not be read, or nothing is compressed."""
    compression = read_all(server_of(connected)).compression.value
    return savings(compression).saved_share if compression else None


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BenchmarkError(
            f"The report {file} cannot be written ({error.strerror}).", "Name another file with --html."
        ) from error
    narration.print(f"Wrote the report {file}.", markup=False)


def _show(found: Comparison) -> None:
    console, judged = answers(), headline(found)
    for one in found.differences:
        style = {"spoils": "bold red", "another cause": "yellow"}.get(one.weight, "dim")
        console.print(
            f"[{style}]{WEIGHTS[one.weight]}[/]  {escape(f'{one.subject}: {one.before} → {one.after}. {one.remark}')}"
        )
    console.print(f"[{STYLES[judged.severity]}]{escape(judged.text)}[/]")
    console.print(f"[dim]{BASIS_WORDS[found.suite.basis] if found.suite.basis else ''}[/]\n")
    _print(console, verdict_frame(found), {
        "title": "Benchmark", "before": "Median before", "after": "Median after", "change": "Change",
        "interval": "Interval", "n": "Samples", "verdict": "Verdict", "reason": "Why",
    })  # fmt: skip
    console.print()
    _print(console, promise_frame(found), {
        "title": "Phase 4 promised", "expected": "Expected", "before": "Measured before", "after": "Measured after",
        "expected_factor": "Factor", "factor": "Measured", "met": "Verdict",
    })  # fmt: skip


def _print(console: Console, frame: pd.DataFrame, headings: dict[str, str]) -> None:
    table = RichTable(*headings.values(), box=None)
    for row in frame[list(headings)].itertuples(index=False):
        table.add_row(*(escape(str(value)) for value in row))
    console.print(table)
