"""``python -m ms5ops plan`` and ``lint``: what a policy would change, and what is wrong with it."""

import json
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ms5ops import units
from ms5ops.cli.rollout import open_reading, policy_for
from ms5ops.cli.status import EnvironmentOption, JsonOption
from ms5ops.cli.terminal import answers, narration
from ms5ops.config import SANDBOX, MaintenanceWindow, Settings
from ms5ops.control import policy_sets
from ms5ops.control.policy_sets import server_of
from ms5ops.control.service import Service
from ms5ops.environments import connect
from ms5ops.errors import SandboxError, ServerUnreachable
from ms5ops.observe.overview import read_all
from ms5ops.observe.server import connect_server
from ms5ops.observe.tables import read_tables
from ms5ops.policy.lint import LintFinding, Measured, lint
from ms5ops.rollout.fit import misfit
from ms5ops.rollout.measure import measure
from ms5ops.rollout.operation import PHASES, Phase
from ms5ops.rollout.plan import Plan, make_plan, risk
from ms5ops.rollout.script import to_sql
from ms5ops.rollout.state import read_state

EXIT_CHANGES = 3
"""``plan``: it could be made, and it is not empty."""

PolicyOption = Annotated[
    Path | None, typer.Option("--policy", help="The policy file; by default the set in force for the environment.")
]
PhaseOption = Annotated[list[int] | None, typer.Option("--phase", min=1, max=5, help="Only this phase; repeatable.")]
STYLES = {"error": "bold red", "warning": "yellow", "info": "blue"}


def plan(  # noqa: PLR0917 - the command's options
    environment: EnvironmentOption = None,
    policy: PolicyOption = None,
    phase: PhaseOption = None,
    as_json: JsonOption = False,
    as_sql: Annotated[bool, typer.Option("--sql", help="As a script for psql.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Save the plan to this file, for apply --plan.")] = None,
) -> None:
    """Show what differs between the database and the policy, and the operations that would change it.

    Changes nothing. Exit code 0: nothing is to do; 3: there are changes; 2: no plan could be made.
    """
    if as_json and as_sql:
        raise typer.BadParameter("Give --json or --sql, not both.")
    connected, wanted = open_reading(environment, policy)
    server = connect_server(connected.database, connected.schema, wanted)
    state = read_state(server, wanted, connected.deploy_role)
    unfit = misfit(wanted, state, read_tables(server, None), connected.schema)
    if unfit is not None:
        raise unfit
    made = make_plan(state, wanted, None if not phase else cast(list[Phase], phase))
    if out is not None:
        made.save(out)
        narration.print(f"Saved to {escape(str(out))}.")
    if as_json:
        typer.echo(json.dumps({"environment": connected.name, "origin": connected.origin, **made.to_json()}, indent=2))
    elif as_sql:
        typer.echo(to_sql(made), nl=False)
    else:
        _show(answers(), connected.name, connected.origin, made)
    if not made.is_empty:
        raise typer.Exit(EXIT_CHANGES)


def lint_policy(
    environment: EnvironmentOption = None, policy: PolicyOption = None, as_json: JsonOption = False
) -> None:
    """Judge a policy before it is planned: with a server's figures, or without where none can be reached.

    Exit code 1 where it would fail or destroy data.
    """
    service = Service.here()
    wanted, _ = policy_for(service, environment, policy)
    settings = service.settings
    name = settings.chosen(environment)
    measured, missing = _measured(settings, name)
    found = lint(wanted, measured)
    if as_json:
        about = {
            "policy": str(policy) if policy else policy_sets.in_force(service.store, name).name,
            "environment": None if measured is None else name,
            "not_measured": missing,
        }
        typer.echo(json.dumps({**about, "findings": [asdict(one) for one in found]}, indent=2))
    else:
        _show_findings(answers(), found)
        if missing:
            narration.print(f"Judged without measurements: {escape(missing)}")
    if any(one.severity == "error" for one in found):
        raise typer.Exit(1)


def _measured(settings: Settings, name: str) -> tuple[Measured | None, str | None]:
    """The figures of the environment, or why there are none: a policy can be judged without a server."""
    window: MaintenanceWindow | None = None
    if name != SANDBOX:
        window = settings.environment(name).maintenance_window
    try:
        connected = connect(settings, name)
        overview = read_all(server_of(connected))
    except (ServerUnreachable, SandboxError) as error:
        return (None if window is None else Measured(maintenance_window=window)), f"{error.happened} {error.next_step}"
    errors = "; ".join(f"{section} could not be read: {error.happened}" for section, error in overview.errors().items())
    return measure(overview, window), errors or None


def _show(console: Console, name: str, origin: str, made: Plan) -> None:
    console.print(f"[bold]{escape(name)}[/] ({origin} data), {made.server}, database {escape(made.database)}")
    for phase, group in groupby(made.operations, key=lambda one: one.phase):
        console.print(f"\n[bold]Phase {phase}: {PHASES[phase]}[/]")
        table = Table("Table", "What", "Actual", "Desired", "Lock", "Risk", "Estimate", box=None, pad_edge=False)
        for one in group:
            estimate = [units.duration_text(one.estimate.seconds)] if one.estimate.seconds is not None else []
            estimate += [units.bytes_text(one.estimate.extra_bytes)] if one.estimate.extra_bytes else []
            danger = risk(one)
            style = {"high": "bold red", "medium": "yellow"}.get(danger.partition(":")[0], "green")
            table.add_row(
                escape(one.target.removeprefix(f"{made.state.schema}.")),
                escape(one.title),
                escape(one.actual),
                escape(one.desired),
                escape(f"{one.lock.mode} ({one.lock.duration})" if one.lock.mode != "none" else "none"),
                f"[{style}]{escape(danger)}[/]",
                ", ".join(estimate) or units.MISSING,
            )
        console.print(table)
    destroying = [one for one in made.operations if one.destroys]
    if destroying:
        console.print("\n[bold red]Destroys data[/]")
        for one in destroying:
            console.print(f"  {escape(one.destroys or '')}")
    if made.advice:
        console.print("\n[bold]For the administrator[/] (not executed)")
        for one in made.advice:
            console.print(f"  {escape(one.target)}: {escape(one.actual)} -> {escape(one.desired)}")
    if made.notes:
        console.print("\n[bold]Notes[/]")
        for note in made.notes:
            console.print(f"  {note.kind}: {escape(note.target)}: {escape(note.text)}")
    count = len(made.operations)
    console.print(
        "\nNothing is to do."
        if made.is_empty
        else f"\n{count} operation{'' if count == 1 else 's'}. Nothing was changed."
    )


def _show_findings(console: Console, found: list[LintFinding]) -> None:
    for one in found:
        console.print(f"[{STYLES[one.severity]}]{one.severity:>7}[/]  {escape(one.subject)}: {escape(one.reason)}")
        console.print(f"         [dim]{escape(one.key)} ({escape(one.rule)}; {escape(one.source)})[/]")
    if not found:
        console.print("Nothing to object to.")
