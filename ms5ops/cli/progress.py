"""Progress bars on stderr: what is done, how long it took, how long it will take."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

from ms5ops.sandbox import fill


@contextmanager
def filling(console: Console, title: str = "Filling the sandbox") -> Iterator[Callable[[fill.Progress], None]]:
    """A bar for filling the sandbox, or replaying in it; yields the function that ``fill`` reports to."""
    columns = (
        TextColumn("{task.description}", table_column=Column(min_width=34, max_width=50, no_wrap=True)),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=None)

        def report(progress: fill.Progress) -> None:
            bar.update(task, description=progress.label, completed=progress.done, total=progress.total)

        yield report
