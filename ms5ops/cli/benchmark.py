"""``python -m ms5ops benchmark run`` and ``suite``: measure a database, and list what is measured."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Column
from rich.table import Table as RichTable

from ms5ops.access import shell
from ms5ops.access.manage import allowed
from ms5ops.benchmark import background
from ms5ops.benchmark.background import Announcement
from ms5ops.benchmark.options import PARTS, READING, Options, Part, Progress, Site, open_site
from ms5ops.benchmark.records import GROUPS, PROBLEMS, Group, Run
from ms5ops.benchmark.run_summary import benchmark_title, target_text
from ms5ops.benchmark.series import run_series
from ms5ops.benchmark.suite_files import load_suite
from ms5ops.cli import benchmark_store
from ms5ops.cli.status import EnvironmentOption, JsonOption
from ms5ops.cli.terminal import answers, narration
from ms5ops.config import SANDBOX, load_settings
from ms5ops.control.policy_sets import judged_by
from ms5ops.errors import BenchmarkError
from ms5ops.observe.overview import as_plain
from ms5ops.units import duration_text

app = typer.Typer(help="Benchmarks: measure, list, compare.", no_args_is_help=True)
EXIT_PROBLEM = 1
EXIT_INTERRUPTED = 130

GroupName = StrEnum("GroupName", {group: group for group in GROUPS})  # type: ignore[misc]  # from one list
PartName = StrEnum("PartName", {part: part for part in PARTS})  # type: ignore[misc]


@app.command()
def run(
    *,
    label: Annotated[
        str | None, typer.Option("--label", help="What the run is called, to find and compare it by.")
    ] = None,
    environment: EnvironmentOption = None,
    group: Annotated[
        list[GroupName] | None,
        typer.Option("--group", help="Only questions of this group (may be given several times)."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few samples: a look in seconds, not a proof.")] = False,
    only: Annotated[
        list[PartName] | None,
        typer.Option("--only", help="Only this part (may be given several times); by default query and jobs."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also ingest, concurrency and load, which strain the server on purpose.")
    ] = False,
    anchor: Annotated[
        str | None,
        typer.Option("--anchor", help="The instant to take as now (ISO 8601); by default the newest sample."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the random orders: the same one repeats them.")] = 1,
    repeat: Annotated[
        int, typer.Option("--repeat", min=1, max=50, help="So many runs in a row, so that their scatter can be told.")
    ] = 1,
    note: Annotated[str | None, typer.Option("--note", help="A remark that is kept with the run.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a database, and keep the run in the history.

    Exit code 0: done. 1: a benchmark failed, timed out, or raw data and aggregate gave different answers (a missed
    target is not an error). 2: not begun. 130: stopped; what was measured until then is kept, marked partial.
    """
    settings = load_settings()
    who = allowed(shell.actor(), "benchmark", settings.chosen(environment))
    options = Options(
        label=label,
        groups=tuple(_group(one) for one in group or ()),
        parts=_parts(only, everything, bool(group)),
        is_quick=quick,
        anchor=parse_anchor(anchor),
        seed=seed,
        actor=who.name,
        note=note,
    )
    with (
        background.alone(settings.chosen(environment), label=label, actor=options.actor) as announced,
        open_site(settings, environment, judged_by) as site,
    ):
        done = _measured(site, options, announced, repeat)
        last = done[-1].header
        announced.ended("stopped" if last.is_partial else "finished", run_id=last.run_id)
    _show(done, as_json, is_list=repeat > 1)
    if last.is_partial:
        narration.print("Stopped: what was measured until then is kept, marked partial.")
        raise typer.Exit(EXIT_INTERRUPTED)
    if any(result.outcome in PROBLEMS for one in done for result in one.results):
        raise typer.Exit(EXIT_PROBLEM)


@app.command()
def suite(environment: EnvironmentOption = None, as_json: JsonOption = False) -> None:
    """List what is measured: questions, pages, targets, and what each needs. Checks the files of own questions."""
    settings = load_settings()
    chosen = settings.chosen(environment)
    found = load_suite(None if chosen == SANDBOX else settings.environment(chosen).benchmarks)
    if as_json:
        typer.echo(json.dumps(as_plain(found), indent=2, default=str))
        return
    table = RichTable("Benchmark", "Group", "Target p95", "Twin", "What it stands for", box=None)
    for one in sorted(found.questions, key=lambda question: (GROUPS.index(question.group), question.name)):
        twin = benchmark_title(one.twin) if one.twin else ""
        target = target_text(one.target_p95_ms, "ms")
        table.add_row(benchmark_title(one.name), one.group, target, twin, escape(one.stands_for))
    for page in found.pages:
        target = target_text(page.target_p95_ms, "ms")
        table.add_row(benchmark_title(page.name), "dashboard", target, "", escape(page.stands_for))
    answers().print(table)
    if found.folder is not None:
        narration.print(f"Own questions of {chosen}, from {found.folder}.", markup=False)


def parse_anchor(text: str | None) -> datetime | None:
    """An instant in ISO 8601, in UTC where it names no zone; BenchmarkError where it is none."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise BenchmarkError(f"{text!r} is not an instant.", "Write it as 2026-11-23T05:49, in UTC.") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _measured(site: Site, options: Options, announced: Announcement, repeat: int) -> list[Run]:
    """The runs, measured in a thread: the driver waits where Ctrl-C is not seen, so another thread has to see it."""
    history = benchmark_store.history()
    interrupted, over = threading.Event(), threading.Event()
    outcome: list[list[Run] | BaseException] = []

    def tell(line: str) -> None:
        narration.print(line, markup=False)

    def stop() -> bool:
        return interrupted.is_set() or announced.stop_asked()

    with _bar() as show:

        def report(progress: Progress) -> None:
            show(progress)
            announced.report(progress)

        def measure() -> None:
            try:
                outcome.append(
                    run_series(site, options, history, repeat=repeat, report=report, stop=stop, narrate=tell)
                )
            except BaseException as error:  # noqa: BLE001  # raised again in the thread that waits
                outcome.append(error)
            finally:
                over.set()

        threading.Thread(target=measure, name="benchmark", daemon=True).start()
        while not over.is_set():  # not join(): an interrupted one takes its thread for ended (CPython's bpo-45274)
            try:
                over.wait(0.2)
            except KeyboardInterrupt:
                if interrupted.is_set():
                    raise
                narration.print("\nStopping; Ctrl-C again gives everything up.")
                interrupted.set()
    found = outcome[0]
    if isinstance(found, BaseException):
        raise found
    return found


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    columns = (
        TextColumn("{task.description}", table_column=Column(min_width=34, max_width=34, no_wrap=True)),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Bar(*columns, console=narration) as bar:
        task = bar.add_task("Benchmarks", total=None, left="")

        def show(progress: Progress) -> None:
            seconds = round(progress.remaining_seconds)
            bar.update(
                task,
                description=benchmark_title(progress.label),
                completed=progress.done_seconds,
                total=progress.total_seconds,
                left=f"about {duration_text(seconds)} left" if seconds else "",
            )

        yield show


def _show(done: Sequence[Run], as_json: bool, *, is_list: bool) -> None:
    if as_json:
        plain = [
            {"header": as_plain(one.header), "results": as_plain(one.results), "samples": len(one.samples)}
            for one in done
        ]
        typer.echo(json.dumps(plain if is_list else plain[0], indent=2, default=str))
        return
    for one in done:
        benchmark_store.print_run(one)


def _parts(only: list[PartName] | None, everything: bool, grouped: bool) -> tuple[Part, ...]:
    if only and everything:
        raise BenchmarkError("--only and --all were both given.", "Give one of them.")
    if everything:
        return PARTS
    if only:
        return tuple(part for part in PARTS if part in {one.value for one in only})
    return ("query",) if grouped else READING


def _group(name: GroupName) -> Group:
    return next(group for group in GROUPS if group == name.value)
