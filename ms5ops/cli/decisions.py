"""``python -m ms5ops policy``, ``plans`` and ``approve``: what is decided before anything is applied."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from ms5ops.access import shell
from ms5ops.cli.status import EnvironmentOption, JsonOption
from ms5ops.cli.terminal import answers, narration
from ms5ops.config import SANDBOX
from ms5ops.control import approvals, plans, policy_sets
from ms5ops.control.plans import KeptPlan
from ms5ops.control.service import Service
from ms5ops.environments import connect
from ms5ops.errors import ConfigError, RolloutError
from ms5ops.observe.finding import counted
from ms5ops.observe.server import connect_server
from ms5ops.rollout.adoption import adopt
from ms5ops.units import count_text, instant_text

policy_app = typer.Typer(help="Policy sets: versions, who made them, what differs.", no_args_is_help=True)
VersionArgument = Annotated[int, typer.Argument(min=0, metavar="VERSION", help="0 is the set that comes with ms5ops.")]


@policy_app.command("list")
def list_policies(environment: EnvironmentOption = None, as_json: JsonOption = False) -> None:
    """List the versions, and which one the environment is planned by."""
    service = Service.here()
    name = service.settings.chosen(environment)
    chosen = policy_sets.in_force(service.store, name)
    found = policy_sets.versions(service.store)
    if as_json:
        _print_json({"environment": name, "in_force": chosen.number, "versions": [asdict(one) for one in found]})
        return
    table = Table("", "Version", "Author", "Saved (UTC)", "Based on", "Comment", box=None)
    for one in found:
        mark = "→" if one.number == chosen.number else ""
        based = "" if one.number == 0 else str(one.based_on or 0)
        table.add_row(
            mark, str(one.number), escape(one.author), instant_text(one.created_at), based, escape(one.comment)
        )
    answers().print(table)
    narration.print(f"{escape(name)} is planned by {chosen.name}.")


@policy_app.command("show")
def show_policy(version: VersionArgument) -> None:
    """Print a version's text (TOML)."""
    typer.echo(policy_sets.text_of(Service.here().store, version), nl=False)


@policy_app.command("adopt")
def adopt_policy(
    environment: EnvironmentOption = None,
    table: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME:TIME_COLUMN", help="A plain table to take up too, switched off; repeatable."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Save it to this file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a policy set for the hypertables, policies and aggregates that the database has, to begin with.

    Changes nothing. Edit it, look at the plan (plan --policy FILE), and keep it: policy save FILE --use.
    """
    settings = Service.here().settings
    connected = connect(settings, settings.chosen(environment))
    found = adopt(connect_server(connected.database, connected.schema), _named_times(table or ()))
    if out is not None:
        try:
            with out.open("x", encoding="utf-8") as file:
                file.write(found.text)
        except OSError as error:
            raise RolloutError(f"{out} cannot be written: {error.strerror}.", "Name another, new file.") from error
    if as_json:
        _print_json(asdict(found))
    elif out is None:
        typer.echo(found.text, nl=False)
    for one in found.left_out:
        narration.print(f"[yellow]Left out:[/] {escape(one)}")
    for one in found.remaining:
        narration.print(f"[yellow]A plan by it would change:[/] {escape(one)}")
    tables = counted(len(found.tables), "table", "tables")
    aggregates = counted(len(found.aggregates), "continuous aggregate", "continuous aggregates")
    narration.print(f"{tables}, {aggregates}" + (f", saved to {escape(str(out))}." if out else "."))


def _named_times(tables: Sequence[str]) -> dict[str, str]:
    named = {}
    for one in tables:
        name, colon, column = one.partition(":")
        if not (name and colon and column):
            raise typer.BadParameter(f"{one!r} is not NAME:TIME_COLUMN.", param_hint="--table")
        named[name] = column
    return named


@policy_app.command("save")
def save_policy(
    file: Annotated[Path, typer.Argument(help="The policy file.")],
    comment: Annotated[str, typer.Option("--comment", "-m", help="What was changed, and why.")],
    based_on: Annotated[
        int | None, typer.Option(min=0, help="The version it comes from; by default that in force.")
    ] = None,
    use: Annotated[bool, typer.Option("--use", help="Plan the environment by it from now on.")] = False,
    environment: EnvironmentOption = None,
) -> None:
    """Check a policy file and keep it as the next version."""
    service = Service.here()
    text = _policy_text(file)
    if based_on is None:
        based_on = policy_sets.in_force(service.store, service.settings.chosen(environment)).number
    number = service.save_policy(shell.actor(), environment, text, comment, based_on)
    typer.echo(f"Saved as version {number}.")
    if use:
        service.choose_policy(shell.actor(), environment, number)
        typer.echo(f"{service.settings.chosen(environment)} is planned by version {number}.")


@policy_app.command("use")
def use_policy(version: VersionArgument, environment: EnvironmentOption = None) -> None:
    """Plan the environment by that version from now on."""
    service = Service.here()
    service.choose_policy(shell.actor(), environment, version)
    typer.echo(f"{service.settings.chosen(environment)} is planned by version {version}.")


@policy_app.command("diff")
def diff_policies(before: VersionArgument, after: VersionArgument, as_json: JsonOption = False) -> None:
    """Say what differs between two versions, field by field."""
    store = Service.here().store
    sides = [policy_sets.parse(policy_sets.text_of(store, number)) for number in (before, after)]
    found = policy_sets.compare(*sides)
    if as_json:
        _print_json([asdict(one) for one in found])
    else:
        typer.echo("\n".join(map(str, found)) or "Nothing differs.")


def list_plans(  # noqa: PLR0917 - the command's options
    environment: EnvironmentOption = None,
    save: Annotated[bool, typer.Option("--save", help="Plan now, and keep that plan.")] = False,
    comment: Annotated[str, typer.Option("--comment", "-m", help="With --save: what it is for.")] = "",
    phase: Annotated[list[int] | None, typer.Option("--phase", min=1, max=5, help="With --save: only this.")] = None,
    policy: Annotated[Path | None, typer.Option("--policy", help="With --save: a policy file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the kept plans and who has approved them; or keep the plan of now, to be tried, approved and applied."""
    service = Service.here()
    name = service.settings.chosen(environment)
    if save:
        text = None if policy is None else _policy_text(policy)
        kept = service.keep_plan(shell.actor(), environment, phases=phase or (), comment=comment, policy_text=text)
        typer.echo(json.dumps(_plain(service, kept), default=str) if as_json else f"Kept as plan {kept.number}.")
        return
    found = plans.kept(service.store, name)
    if as_json:
        _print_json([_plain(service, one) for one in found])
        return
    table = Table("Plan", "Operations", "By", "Made (UTC)", "Approval", "Comment", box=None)
    for one in found:
        table.add_row(
            str(one.number), count_text(one.operations), escape(one.author), instant_text(one.created_at),
            escape(_approval_text(service, one)), escape(one.comment),
        )  # fmt: skip
    answers().print(table if found else f"No plan for {escape(name)} was kept.")


def approve(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="Its number or id.")],
    comment: Annotated[str, typer.Option("--comment", "-m", help="What was looked at.")] = "",
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take the approvals of it back.")] = False,
) -> None:
    """Approve somebody else's plan, exactly as it was kept."""
    service = Service.here()
    kept = plans.named(service.store, plan)
    if withdraw:
        count = service.withdraw(shell.actor(), kept)
        typer.echo(f"{count} approval{'' if count == 1 else 's'} of {kept.name} withdrawn.")
        return
    service.approve_plan(shell.actor(), kept, comment)
    typer.echo(f"{kept.name.capitalize()} is approved for {service.settings.access.approval_hours} hours.")


def _policy_text(file: Path) -> str:
    """The text of a policy file; ConfigError where it cannot be read, or is far too large to be one."""
    try:
        if file.stat().st_size > policy_sets.MOST_BYTES:
            raise ConfigError(f"{file} is far larger than a policy set.", "Give a policy file.")
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read as text.", "Check the path, and that it is UTF-8.") from error


def _approval_text(service: Service, kept: KeptPlan) -> str:
    protected = kept.environment != SANDBOX and service.settings.environment(kept.environment).protected
    standing = approvals.approvals(service.store, kept.subject)
    return approvals.approval_gate(service.asked(kept), standing, protected=protected, now=service.now()).text


def _plain(service: Service, kept: KeptPlan) -> dict[str, Any]:
    return {**asdict(kept), "approval": _approval_text(service, kept)}


def _print_json(values: dict[str, Any] | Sequence[Any]) -> None:
    typer.echo(json.dumps(values, indent=2, default=str))
