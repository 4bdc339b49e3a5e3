"""``python -m ms5ops apply``, ``rollback``, ``check`` and ``deployments``: plans become changes, and are taken back."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ms5ops.cli import rollout
from ms5ops.cli.rollout import Site, narration
from ms5ops.cli.status import EnvironmentOption, JsonOption
from ms5ops.errors import RolloutError
from ms5ops.observe.overview import as_plain
from ms5ops.rollout import dry_run as trying
from ms5ops.rollout import executor, journal, report
from ms5ops.rollout import rollback as undoing
from ms5ops.rollout.check import Check, worst
from ms5ops.rollout.ends import Outcome
from ms5ops.rollout.plan import Plan, check_fresh
from ms5ops.rollout.postcheck import postchecks
from ms5ops.rollout.precheck import prechecks
from ms5ops.units import duration_text, instant_text

check_app = typer.Typer(help="Checks before (pre) and after (post) a deployment.", no_args_is_help=True)
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; on a protected environment it still asks.")]
PhaseOption = Annotated[
    list[int] | None, typer.Option("--phase", min=1, max=5, help="Only this phase (may be given several times).")
]
PolicyOption = Annotated[Path | None, typer.Option("--policy", help="The policy file; by default the one that comes.")]
STYLES = {"passed": "green", "failed": "bold red", "could not check": "yellow"}


def apply(
    *,
    plan_file: Annotated[Path | None, typer.Option("--plan", help="A plan that `plan --out` saved.")] = None,
    environment: EnvironmentOption = None,
    policy: PolicyOption = None,
    phase: PhaseOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Try it in a transaction that is rolled back.")] = False,
    yes: YesOption = False,
    confirm: Annotated[
        str | None, typer.Option("--confirm", help="The environment's name, instead of typing it when asked.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the last deployment.")] = False,
    no_backup: Annotated[
        str | None, typer.Option("--no-backup", metavar="REASON", help="Go without a backup; the reason is recorded.")
    ] = None,
    outside_window: Annotated[
        str | None,
        typer.Option("--outside-window", metavar="REASON", help="Work outside the window; the reason is recorded."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the database to the policy's state: checks, backup, plan, apply, checks, report.

    Exit code 0: done. 1: stopped at a failing operation or a failing check. 2: not begun. 130: paused by Ctrl-C.
    """
    site = rollout.open_site(environment, policy)
    if resume:
        found = journal.deployment(site.write)
        note = rollout.reasons(outside_window=outside_window)
        outcome = site.supervised(
            found.operations,
            lambda conditions: executor.resume(site.write, conditions, found, note),
            outside_window=outside_window,
        )
        _finish(site, outcome, (), as_json)
        return
    plan = Plan.load(plan_file) if plan_file else site.plan(phase)
    check_fresh(plan, site.state())
    if dry_run:
        rollout.refuse_closed(site, outside_window)  # its locks hold writers up as well, for seconds
        _show_trial(trying.dry_run(site.write, plan.operations, embedded=site.embedded), as_json)
        return
    if not plan.operations:
        _answer(as_json, {"status": "nothing to do", "advice": [one.key for one in plan.advice]}, "Nothing to do.")
        return
    rollout.show_plan(plan)
    before = prechecks(site.connected, site.policy, plan.operations)
    _show_checks(narration, before)
    rollout.refuse_blocking(before, outside_window)
    rollout.confirm(site.connected, f"Apply {len(plan.operations)} operations", yes, confirm)
    note = rollout.reasons(no_backup=no_backup, outside_window=outside_window, backup=site.back_up(no_backup))
    outcome = site.supervised(
        len(plan.operations) + len(plan.advice),
        lambda conditions: executor.apply(
            site.write,
            plan,
            conditions,
            server_versions=site.versions,
            before_state=plan.to_json()["state"],
            note=note,
            confirm_fresh=lambda: check_fresh(plan, site.state()),
        ),
        outside_window=outside_window,
    )
    _finish(site, outcome, before, as_json)


def rollback(
    *,
    wanted: Annotated[str | None, typer.Argument(metavar="ID", help="Its number or id; by default the last.")] = None,
    last: Annotated[bool, typer.Option("--last", help="The last deployment (the default).")] = False,
    environment: EnvironmentOption = None,
    policy: PolicyOption = None,
    phase: PhaseOption = None,
    conversions: Annotated[bool, typer.Option("--conversions", help="Also make plain tables again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    yes: YesOption = False,
    confirm: Annotated[
        str | None, typer.Option("--confirm", help="The environment's name, instead of typing it when asked.")
    ] = None,
    accept_loss: Annotated[bool, typer.Option("--accept-loss", help="Go on although not all comes back.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also take back what someone changed by hand.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take a deployment back, in reverse order; or finish doing so.

    Exit code 0: done. 1: stopped, or the state is not the one from before. 2: not begun. 130: paused by Ctrl-C.
    """
    if last and wanted:
        raise RolloutError("--last and an ID were both given.", "Give one of them.")
    site = rollout.open_site(environment, policy)
    found = journal.deployment(site.write, wanted)
    way = undoing.find_way(site.write, found, site.conditions(), phases=phase, conversions=conversions)
    rollout.show_way(way)
    if dry_run:
        _answer(as_json, rollout.way_to_json(way), "Nothing was changed.")
        return
    rollout.confirm(site.connected, f"Take back {len(way.undone)} operations of {found.name}", yes, confirm)
    outcome = site.supervised(
        len(way.undone),
        lambda conditions: undoing.rollback(
            site.write,
            found,
            conditions,
            phases=phase,
            conversions=conversions,
            accept_loss=accept_loss,
            force=force,
            compare=site.compare,
        ),
    )
    _finish(site, outcome, None, as_json)


@check_app.command("pre")
def check_pre(environment: EnvironmentOption = None, policy: PolicyOption = None, as_json: JsonOption = False) -> None:
    """What must hold before a deployment. Exit code 0: all passed, 1: one failed, 2: one could not be made."""
    connected, wanted = rollout.open_reading(environment, policy)
    _answer_checks(prechecks(connected, wanted), as_json)


@check_app.command("post")
def check_post(environment: EnvironmentOption = None, policy: PolicyOption = None, as_json: JsonOption = False) -> None:
    """The technical criteria of Phase 4. Exit code 0: all passed, 1: one failed, 2: one could not be made."""
    connected, wanted = rollout.open_reading(environment, policy)
    _answer_checks(postchecks(rollout.server_of(connected), wanted), as_json)


def deployments(
    environment: EnvironmentOption = None,
    pause: Annotated[str | None, typer.Option("--pause", metavar="ID", help="Ask it to pause.")] = None,
    cancel: Annotated[
        str | None, typer.Option("--cancel", metavar="ID", help="Give it up; what is done stays.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List what was applied: status, who, when; or ask a running one to stop."""
    if pause or cancel:
        site = rollout.open_site(environment, None)
        found = journal.deployment(site.write, pause or cancel)
        if cancel:
            at_once = executor.give_up(site.write, site.conditions(), found)
            narration.print(f"{found.name.capitalize()} {'is given up' if at_once else 'was asked to give up'}.")
        else:
            with site.write.session() as session:
                journal.ask(session, found.id, "pause", site.who)
            narration.print(f"{found.name.capitalize()} was asked to pause.")
        return
    connected, _ = rollout.open_reading(environment, None)
    listed = journal.deployments(connected.database)
    if as_json:
        typer.echo(json.dumps(as_plain(listed), indent=2, default=str))
        return
    table = Table("No", "Status", "Done", "By", "Started (UTC)", "Took", "Note", box=None)
    for one in listed:
        took = (one.finished_at - one.started_at).total_seconds() if one.finished_at else None
        status = f"rollback {one.status}" if one.direction == "rollback" and one.is_open else one.status
        table.add_row(
            str(one.number),
            status,
            f"{one.done} of {one.operations}",
            escape(f"{one.actor} on {one.host}"),
            instant_text(one.started_at),
            duration_text(took),
            escape(one.note or ""),
        )
    Console().print(table if listed else "Nothing was ever applied in this database.")


def _finish(site: Site, outcome: Outcome, before: tuple[Check, ...] | None, as_json: bool) -> None:
    """Check, write the report, say how it ended, and exit with the code for it."""
    after: tuple[Check, ...] = ()
    if outcome.direction == "apply" and outcome.status == "done":
        after = postchecks(site.server, site.policy)
        _show_checks(narration, after)
    found = journal.deployment(site.write, outcome.deployment)
    files = report.write(report.read_report(site.write, found, before or (), after))
    if as_json:
        checks = {"before": as_plain(before or ()), "after": as_plain(after)}
        typer.echo(json.dumps({**as_plain(outcome), "report": list(map(str, files)), "checks": checks}, default=str))
    rollout.show_outcome(outcome, files)
    if outcome.status in ("paused", "cancelled"):
        raise typer.Exit(130 if site.interrupted else 1)
    if outcome.status == "failed" or worst(after) == "failed":
        raise typer.Exit(1)


def _answer_checks(checks: tuple[Check, ...], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"verdict": worst(checks), "checks": as_plain(checks)}, indent=2))
    else:
        _show_checks(Console(highlight=False), checks)
    code = {"passed": 0, "failed": 1, "could not check": 2}[worst(checks)]
    if code:
        raise typer.Exit(code)


def _show_checks(console: Console, checks: tuple[Check, ...]) -> None:
    table = Table("", "Check", "Expected", "Found", box=None)
    for check in checks:
        found = "\n".join([check.found, *check.evidence, *filter(None, [check.advice])])
        shown = check.found if check.verdict == "passed" else found
        style = STYLES[check.verdict]
        table.add_row(f"[{style}]{check.verdict}[/]", check.title, escape(check.expected), escape(shown))
    console.print(table)


def _show_trial(trial: trying.DryRun, as_json: bool) -> None:
    if as_json:
        listed = [
            {"key": one.operation.key, "result": one.result, "reason": one.reason, "seconds": round(one.seconds, 3)}
            for one in trial.trials
        ]
        typer.echo(json.dumps({"locked_seconds": round(trial.locked_seconds, 3), "operations": listed}, indent=2))
    else:
        styles = {"works": "green", "fails": "bold red", "not tried": "yellow"}
        table = Table("", "Operation", "Took", "Why not", box=None)
        for one in trial.trials:
            took = duration_text(one.seconds) if one.result == "works" else ""
            table.add_row(
                f"[{styles[one.result]}]{one.result}[/]", escape(one.operation.title), took, escape(one.reason)
            )
        Console(highlight=False).print(table)
        narration.print(f"All was rolled back; locks were held for up to {duration_text(trial.locked_seconds)}.")
    if trial.failed:
        raise typer.Exit(1)


def _answer(as_json: bool, values: Any, text: str) -> None:
    if as_json:
        typer.echo(json.dumps(values, indent=2, default=str))
    else:
        narration.print(text)
