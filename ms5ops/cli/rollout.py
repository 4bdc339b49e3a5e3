"""What the commands that change a database share: whom to connect as, what to show and ask, and Ctrl-C."""

import signal
import sys
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from ms5ops.config import SANDBOX, load_settings
from ms5ops.database import Database
from ms5ops.environments import Connected, connect
from ms5ops.errors import RolloutError
from ms5ops.observe.server import Server, connect_server
from ms5ops.policy.document import PolicySet, load_policy
from ms5ops.queries import version_text
from ms5ops.rollout import backup, disk
from ms5ops.rollout import running as at_work
from ms5ops.rollout.check import Check
from ms5ops.rollout.conditions import Conditions
from ms5ops.rollout.ends import Outcome
from ms5ops.rollout.journal import Who
from ms5ops.rollout.limits import Limits
from ms5ops.rollout.plan import Plan, make_plan
from ms5ops.rollout.precheck import window_of
from ms5ops.rollout.records import State
from ms5ops.rollout.restored import Comparison, comparison
from ms5ops.rollout.rollback import Way
from ms5ops.rollout.state import read_state
from ms5ops.units import bytes_text, duration_text

narration = Console(stderr=True, highlight=False, soft_wrap=True)
BLOCKING = ("connection", "extension", "versions", "privileges", "hypertables")
"""Checks without which nothing can be begun; the others are shown, and people decide."""


@dataclass
class Site:
    """One database to be changed: as the deploying role, and as the reading one (or the same)."""

    connected: Connected
    policy: PolicySet
    server: Server
    limits: Limits = field(default_factory=Limits)
    stop: at_work.Stop = field(default_factory=at_work.Stop)
    interrupted: bool = False

    @property
    def write(self) -> Database:
        """The deploying role's connections."""
        return self.connected.database

    @property
    def embedded(self) -> bool:
        """Whether it is the embedded engine."""
        return self.connected.name == SANDBOX

    @property
    def who(self) -> Who:
        """This process."""
        return Who.here()

    @property
    def versions(self) -> dict[str, str]:
        """What the server is, for the journal."""
        return {
            "timescaledb": f"{version_text(self.server.version)} ({self.server.edition})",
            "postgresql": ".".join(map(str, self.server.postgres_version)),
        }

    def state(self) -> State:
        """The state now."""
        return read_state(connect_server(self.server.database, self.server.schema), self.policy)

    def plan(self, phases: Collection[int] | None) -> Plan:
        """The plan from the state now."""
        return make_plan(self.state(), self.policy, phases or None)  # type: ignore[arg-type]  # typer checked 1 to 5

    @property
    def compare(self) -> Comparison:
        """What a rollback compares with."""
        return comparison(self.state)

    def conditions(self, outside_window: str | None = None, report: at_work.Report | None = None) -> Conditions:
        """The conditions of a run."""
        return Conditions(
            who=self.who,
            environment=self.connected.name,
            embedded=self.embedded,
            limits=self.limits,
            stop=self.stop,
            report=report or (lambda _progress: None),
            window=None if outside_window else window_of(self.connected),
            free_bytes=lambda: disk.free_bytes(self.connected),
        )

    def back_up(self, refused: str | None) -> str | None:
        """A backup where one is due, as a sentence for the journal."""
        if refused or not self.connected.protected:
            return None
        tables = [self.policy.qualified(one.name) for one in self.policy.active_tables]
        with narration.status("Making a backup") as status:
            made = backup.make(
                self.write.target,
                self.server.postgres_version[0],
                tables,
                progress=lambda size: status.update(f"Making a backup: {bytes_text(size)} so far"),
            )
        narration.print(f"Backup: {escape(str(made))}")
        return str(made)

    def supervised(
        self, total: int, work: Callable[[Conditions], Outcome], outside_window: str | None = None
    ) -> Outcome:
        """Run ``work`` in a thread, with bars, while this one waits for signals.

        The driver does not return from a statement for a signal. The first Ctrl-C or SIGTERM lets the present
        transaction end for a few seconds, the second ends its statement at once.
        """
        box: list[Outcome | BaseException] = []
        with _Bars(total) as report:
            conditions = self.conditions(outside_window, report)

            def run() -> None:
                try:
                    box.append(work(conditions))
                except BaseException as error:  # noqa: BLE001  # raised again in the main thread
                    box.append(error)

            thread = threading.Thread(target=run, name="ms5ops rollout")
            former = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
            try:
                thread.start()
                while thread.is_alive():
                    thread.join(0.2)
            finally:
                for number, handler in former.items():
                    signal.signal(number, handler)
        ended = box[0]
        if isinstance(ended, BaseException):
            raise ended
        return ended

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.interrupted = True
        narration.print("Stopping after the present transaction; once more ends it at once.")
        self.stop.request(f"Stopped by {signal.Signals(number).name}.", self.limits.cancel_after_s)


def open_site(environment: str | None, policy: Path | None) -> Site:
    """Connect as the deploying role."""
    settings = load_settings()
    connected = connect(settings, environment, purpose="deploy")
    wanted = load_policy(policy)
    reading = Database(connected.database.target, "read")
    return Site(connected, wanted, connect_server(reading, connected.schema))


def open_reading(environment: str | None, policy: Path | None) -> tuple[Connected, PolicySet]:
    """Connect as the reading role."""
    return connect(load_settings(), environment), load_policy(policy)


def server_of(connected: Connected) -> Server:
    """The server of a connection."""
    return connect_server(connected.database, connected.schema)


def reasons(**given: str | None) -> str | None:
    """Decisions for the journal: ``no backup: REASON. outside window: REASON.``."""
    lines = [f"{name.replace('_', ' ')}: {reason}." for name, reason in given.items() if reason]
    return " ".join(lines) or None


def refuse_blocking(checks: tuple[Check, ...], outside_window: str | None) -> None:
    """RolloutError where a check failed without which nothing can be begun."""
    for check in checks:
        if check.name in BLOCKING and check.verdict != "passed":
            raise RolloutError(f"{check.title}: {check.found}.", check.advice)
        if check.name == "window" and check.verdict == "failed" and not outside_window:
            raise RolloutError(f"The maintenance window is closed ({check.found}).", check.advice)


def refuse_closed(site: Site, outside_window: str | None) -> None:
    """RolloutError where the maintenance window is closed and no reason to work outside it was given."""
    window = window_of(site.connected)
    if window is not None and not outside_window and not window(site.server.read_at):
        raise RolloutError(
            f"The maintenance window is closed ({site.connected.maintenance_window}).",
            "Wait for it, or give a reason with --outside-window.",
        )


def way_to_json(way: Way) -> dict[str, Any]:
    """What a rollback would do, as JSON values."""
    return {
        "deployment": way.deployment.number,
        "undone": [row.operation.key for row in way.undone],
        "kept": [row.operation.key for row in way.kept],
        "losses": list(way.losses),
        "changed": list(way.changed),
        "needed_bytes": way.needed_bytes,
        "free_bytes": way.free_bytes,
    }


def confirm(connected: Connected, what: str, yes: bool, typed: str | None) -> None:
    """Ask; on a protected environment by typing its name (or ``--confirm NAME``), whatever ``--yes`` says."""
    if not connected.protected:
        if not yes and not typer.confirm(f"{what} on {connected.name}?", err=True):
            raise RolloutError("Nothing was changed.", "It was not confirmed.")
        return
    if typed is None:
        if not sys.stdin.isatty():
            raise RolloutError(
                f"{connected.name} is protected, and nobody is here to type its name.",
                f"Give --confirm {connected.name}.",
            )
        typed = typer.prompt(f"{what} on {connected.name}, which is protected. Type its name to go on", err=True)
    if typed != connected.name:
        raise RolloutError("Nothing was changed.", f"{typed!r} is not the environment's name.")


def show_plan(plan: Plan) -> None:
    """The plan on stderr, operation by operation."""
    table = Table("Phase", "Operation", "Was", "Should be", "Lock", "Estimate", box=None)
    for one in plan.operations:
        title = escape(one.title) + (f" [bold red]destroys {escape(one.destroys)}[/]" if one.destroys else "")
        table.add_row(
            str(one.phase), title, escape(one.actual), escape(one.desired), escape(one.lock.mode),
            duration_text(one.estimate.seconds),
        )  # fmt: skip
    narration.print(table)
    for one in plan.advice:
        narration.print(f"[blue]For the administrator:[/] {escape(one.title)} ({escape(one.desired)})")


def show_way(way: Way) -> None:
    """What a rollback will do, on stderr."""
    for row in way.undone:
        narration.print(f"undo  {escape(row.operation.title)}")
    for row in way.kept:
        narration.print(f"[dim]keep  {escape(row.operation.title)} (--conversions takes it back too)[/]")
    for line in way.losses:
        narration.print(f"[bold red]Does not come back:[/] {escape(line)}")
    for line in way.changed:
        narration.print(f"[yellow]Changed by hand since:[/] {escape(line)}")
    if way.needed_bytes:
        free = bytes_text(way.free_bytes) if way.free_bytes is not None else "an amount that cannot be seen from here"
        narration.print(f"Decompressing needs {bytes_text(way.needed_bytes)} of disk; free: {free}.")


def show_outcome(outcome: Outcome, files: tuple[Path, Path]) -> None:
    """How it ended, on stderr."""
    style = "bold green" if outcome.status in ("done", "rolled back") else "bold red"
    stays = "stay" if outcome.status in ("done", "rolled back") else "left"
    counts = f"{len(outcome.done)} done, {len(outcome.left)} {stays}"
    narration.print(f"[{style}]{outcome.status.capitalize()}[/]: {counts}.")
    if outcome.reason:
        narration.print(escape(outcome.reason))
    for key in outcome.left if outcome.status != "rolled back" else ():
        narration.print(f"[dim]left  {escape(key)}[/]")
    if outcome.next_step:
        narration.print(outcome.next_step)
    narration.print(f"Report: {files[1]}")


class _Bars:
    """A bar for all operations and one for the present one; yields what a run reports to."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._progress = Progress(
            TextColumn("{task.description:<60.60}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("elapsed"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=narration,
        )
        self._all = self._progress.add_task("All operations", total=total)
        self._one = self._progress.add_task("", total=1.0)
        self._key = ""
        self._finished: set[str] = set()

    def __enter__(self) -> at_work.Report:
        self._progress.start()
        return self._report

    def __exit__(self, *_error: object) -> None:
        self._progress.stop()

    def _report(self, progress: at_work.Progress) -> None:
        if progress.key != self._key:
            self._key = progress.key
            self._progress.reset(self._one, description=progress.title, total=1.0)
        if progress.fraction is not None:
            self._progress.update(self._one, completed=progress.fraction, description=progress.message)
            if progress.fraction >= 1.0:
                self._finished.add(progress.key)
        self._progress.update(self._all, completed=len(self._finished), total=self._total)
