"""What the commands that change a database share: whom to connect as, what to show and ask, and Ctrl-C."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from ms5ops.access import audit, shell
from ms5ops.access.roles import Action, Actor
from ms5ops.cli.terminal import narration
from ms5ops.control import policy_sets
from ms5ops.control.conclusion import Conclusion
from ms5ops.control.service import Service
from ms5ops.control.site import Site
from ms5ops.control.supervision import supervised
from ms5ops.environments import Connected, connect
from ms5ops.errors import Ms5opsError, RolloutError
from ms5ops.policy.document import PolicySet, load_policy
from ms5ops.rollout import running as at_work
from ms5ops.rollout.conditions import Conditions
from ms5ops.rollout.ends import Outcome
from ms5ops.rollout.journal import Deployment
from ms5ops.rollout.plan import Plan
from ms5ops.rollout.way import Way
from ms5ops.units import bytes_text, duration_text

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; on a protected environment it still asks.")]
ConfirmOption = Annotated[
    str | None, typer.Option("--confirm", help="The environment's name, instead of typing it when asked.")
]
OutsideWindowOption = Annotated[
    str | None,
    typer.Option("--outside-window", metavar="REASON", help="Work outside the window; the reason is recorded."),
]


@dataclass
class Desk:
    """Whoever works at a terminal, and the database that they may change. ``policy_text`` None: it needs its folder."""

    service: Service
    actor: Actor
    site: Site
    policy_text: str | None
    interrupted: bool = False

    @property
    def connected(self) -> Connected:
        """The connection as the deploying role."""
        return self.site.connected

    def back_up(self, refused: str | None) -> str | None:
        """A backup where one is due, as a sentence for the journal."""
        if refused or not self.connected.protected:
            return None
        with narration.status("Making a backup") as status:
            made = self.site.back_up(refused, lambda size: status.update(f"Making a backup: {bytes_text(size)} so far"))
        narration.print(f"Backup: {escape(str(made))}")
        return made

    def supervised(
        self, total: int, work: Callable[[Conditions], Outcome], outside_window: str | None = None
    ) -> Outcome:
        """Run ``work`` with bars; the first Ctrl-C stops it in good order, the second at once."""
        with _Bars(total) as report:
            conditions = self.site.conditions(outside_window, report)
            return supervised(self.site.stop, self.site.limits, lambda: work(conditions), self._on_signal)

    def record(self, action: Action, outcome: audit.Outcome, **details: Any) -> None:
        """Write down what is done here."""
        audit.record(self.actor, action, self.connected.name, outcome, details)

    @contextmanager
    def begun(self, action: Action, **details: Any) -> Iterator[None]:
        """Write down that the work of the block begins, and where it could not be done, why; its outcome is its own."""
        self.record(action, "begun", **details)
        try:
            yield
        except Ms5opsError as error:
            self.record(action, "failed", **details, reason=error.happened)
            raise

    def take_policy_of(self, deployment: Deployment) -> None:
        """Work with the policy set that a deployment was made from, where that is known here."""
        self.site.policy, self.policy_text = self.service.policy_of(self.connected.name, str(deployment.id))

    def _on_signal(self) -> None:
        self.interrupted = True
        narration.print("Stopping after the present transaction; once more ends it at once.")


def open_desk(action: Action, environment: str | None, policy: Path | None = None, text: str | None = None) -> Desk:
    """Connect as the deploying role, for whoever runs this if they may do that; NotAllowed otherwise.

    ``text`` is a policy set in place of the file, or of the one in force.
    """
    service = Service.here()
    actor = service.allow(shell.actor(), action, environment)
    wanted, kept = policy_for(service, environment, policy) if text is None else (policy_sets.parse(text), text)
    return Desk(service, actor, service.site(actor, environment, wanted), kept)


def policy_for(service: Service, environment: str | None, file: Path | None) -> tuple[PolicySet, str | None]:
    """The policy of a file, or the one in force for the environment; its text, None where that needs its folder."""
    if file is None:
        chosen = policy_sets.in_force(service.store, service.settings.chosen(environment))
        return chosen.policy, chosen.text
    policy = load_policy(file)
    return policy, None if policy.sql_folder else file.read_text(encoding="utf-8-sig")


def open_reading(environment: str | None, policy: Path | None) -> tuple[Connected, PolicySet]:
    """Connect as the reading role."""
    service = Service.here()
    return connect(service.settings, environment), policy_for(service, environment, policy)[0]


def way_to_json(way: Way) -> dict[str, Any]:
    """What a rollback would do, as JSON values."""
    return {
        "deployment": way.deployment.number,
        "undone": [row.operation.key for row in way.undone],
        "kept": [row.operation.key for row in way.kept],
        "losses": list(way.losses),
        "obstacles": list(way.obstacles),
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
        narration.print(
            f"[blue]For the administrator:[/] {escape(one.target)}: {escape(one.actual)} -> {escape(one.desired)}"
        )


def show_way(way: Way) -> None:
    """What a rollback will do, on stderr."""
    for row in way.undone:
        narration.print(f"undo  {escape(row.operation.title)}")
    for row in way.kept:
        narration.print(f"[dim]keep  {escape(row.operation.title)} (--conversions takes it back too)[/]")
    for line in way.losses:
        narration.print(f"[bold red]Does not come back:[/] {escape(line)}")
    for line in way.obstacles:
        narration.print(f"[bold red]In the way:[/] {escape(line)}")
    for line in way.changed:
        narration.print(f"[yellow]Changed by hand since:[/] {escape(line)}")
    if way.needed_bytes:
        free = (
            f"{bytes_text(way.free_bytes)} are free"
            if way.free_bytes is not None
            else "how much is free cannot be seen from here"
        )
        narration.print(f"Decompressing needs {bytes_text(way.needed_bytes)} of disk; {free}.")


def show_outcome(outcome: Outcome, found: Conclusion) -> None:
    """How it ended, on stderr."""
    style = "bold green" if outcome.status in ("done", "rolled back") else "bold red"
    stays = "stay" if outcome.status in ("done", "rolled back") else "left"
    counts = f"{len(outcome.done)} done, {len(outcome.left)} {stays}"
    narration.print(f"[{style}]{outcome.status.capitalize()}[/]: {counts}.")
    if outcome.reason:
        narration.print(escape(outcome.reason))
    for warning in outcome.warnings:
        narration.print(f"[yellow]{escape(warning)}[/]")
    for key in outcome.left if outcome.status != "rolled back" else ():
        narration.print(f"[dim]left  {escape(key)}[/]")
    if outcome.next_step:
        narration.print(outcome.next_step)
    for line in found.missing:
        narration.print(f"[bold red]{escape(line)}[/]")
    if found.report:
        narration.print(f"Report: {found.report[1]}")


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
