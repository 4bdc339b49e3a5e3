"""``python -m ms5ops apply``, ``rollback``, ``check`` and ``deployments``: plans become changes, and are taken back."""

import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ms5ops.access import shell
from ms5ops.cli import rollout
from ms5ops.cli.plan import PhaseOption, PolicyOption
from ms5ops.cli.rollout import ConfirmOption, Desk, OutsideWindowOption, YesOption
from ms5ops.cli.status import EnvironmentOption, JsonOption
from ms5ops.cli.terminal import answers, narration
from ms5ops.control import anchors, plans
from ms5ops.control.conclusion import conclude
from ms5ops.control.plans import KeptPlan
from ms5ops.control.runs import WELL_ENDED
from ms5ops.control.service import Service
from ms5ops.control.site import reasons, refuse_blocking, refuse_closed
from ms5ops.errors import NotAllowed, RolloutError
from ms5ops.observe.overview import as_plain
from ms5ops.observe.server import connect_server
from ms5ops.rollout import beginnings, executor, journal
from ms5ops.rollout import dry_run as trying
from ms5ops.rollout import rollback as undoing
from ms5ops.rollout.check import Check, worst
from ms5ops.rollout.ends import Outcome
from ms5ops.rollout.fit import checks_after
from ms5ops.rollout.journal import RequestKind
from ms5ops.rollout.plan import Plan, check_fresh
from ms5ops.rollout.precheck import prechecks
from ms5ops.rollout.way import Way, find_way
from ms5ops.units import duration_text, instant_text

check_app = typer.Typer(help="Checks before (pre) and after (post) a deployment.", no_args_is_help=True)
STYLES = {"passed": "green", "failed": "bold red", "could not check": "yellow"}


def apply(
    *,
    plan_file: Annotated[Path | None, typer.Option("--plan", help="A plan that `plan --out` saved.")] = None,
    plan_id: Annotated[str | None, typer.Option("--plan-id", metavar="ID", help="A kept plan (`plans`).")] = None,
    environment: EnvironmentOption = None,
    policy: PolicyOption = None,
    phase: PhaseOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Try it in a transaction that is rolled back.")] = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the last deployment.")] = False,
    no_backup: Annotated[
        str | None, typer.Option("--no-backup", metavar="REASON", help="Go without a backup; the reason is recorded.")
    ] = None,
    outside_window: OutsideWindowOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the database to the policy's state: checks, backup, plan, apply, checks, report.

    Exit code 0: done. 1: stopped at a failing operation or a failing check. 2: not begun. 130: paused by Ctrl-C.
    """
    if resume:
        if plan_file or plan_id or phase or dry_run or no_backup:
            raise RolloutError(
                "--resume goes on with what was begun.", "Leave --plan, --plan-id, --phase, --dry-run, --no-backup out."
            )
        _resume(rollout.open_desk("apply", environment, policy), policy, confirm, outside_window, as_json)
        return
    if plan_id and (plan_file or policy or phase):
        raise RolloutError("--plan-id names a whole plan.", "Leave --plan, --policy and --phase out.")
    kept, plan, text = _kept(plan_id, environment) if plan_id else (None, None, None)
    environment = kept.environment if kept else environment
    desk = rollout.open_desk("dry run" if dry_run else "apply", environment, policy, text)
    site = desk.site
    plan = plan or (Plan.load(plan_file) if plan_file else site.plan(phase))
    check_fresh(plan, site.state())
    if dry_run:
        refuse_closed(site, outside_window)  # its locks hold writers up as well, for seconds
        trial = trying.dry_run(site.write, plan.operations, embedded=site.embedded)
        if kept:
            plans.keep_trial(desk.service.store, kept, trial, by=desk.actor.name, now=desk.service.now())
        desk.record("dry run", "failed" if trial.failed else "done", plan=kept.name if kept else plan.state_hash)
        _show_trial(trial, as_json)
        return
    if not plan.operations:
        _answer(as_json, {"status": "nothing to do", "advice": [one.key for one in plan.advice]}, "Nothing to do.")
        return
    rollout.show_plan(plan)
    before = prechecks(site.connected, site.policy, plan.operations, outside_window)
    _show_checks(narration, before)
    refuse_blocking(before, outside_window)
    _refuse_unapproved(desk, kept, outside_window)
    rollout.confirm(site.connected, f"Apply {len(plan.operations)} operations", yes, confirm)
    named = {"plan": kept.name if kept else plan.state_hash, "outside_window": outside_window, "no_backup": no_backup}

    def entering(deployment: UUID) -> AbstractContextManager[None]:
        if kept is None:
            return nullcontext()
        beginning = beginnings.apply_of(site.write, deployment)
        return desk.service.using_approval(desk.actor, "apply", site.connected, desk.service.asked(kept), beginning)

    with desk.begun("apply", **named):
        note = reasons(
            plan=f"{kept.number} of {kept.author}" if kept else None,
            no_backup=no_backup,
            outside_window=outside_window,
            backup=desk.back_up(no_backup),
        )
        outcome = desk.supervised(
            len(plan.operations) + len(plan.advice),
            lambda conditions: site.apply(plan, conditions, note, entering=entering),
            outside_window=outside_window,
        )
        _finish(desk, outcome, before, as_json)


def _kept(wanted: str, environment: str | None) -> tuple[KeptPlan, Plan, str]:
    """A kept plan, its operations, and the text of its policy set."""
    service = Service.here()
    kept = plans.named(service.store, wanted)
    if environment not in (None, kept.environment):
        raise RolloutError(f"{kept.name.capitalize()} is for {kept.environment}.", f"Give -e {kept.environment}.")
    return kept, *plans.documents(service.store, kept)


def _refuse_unapproved(desk: Desk, kept: KeptPlan | None, outside_window: str | None) -> None:
    """NotAllowed where the environment is protected and nobody else has approved the plan."""
    if kept is None and desk.connected.protected:
        name = desk.connected.name
        desk.record("apply", "refused", reason="a plan that was not kept, on a protected environment")
        raise NotAllowed(
            f"{name} is protected: only a plan that somebody else has approved is applied there.",
            f"python -m ms5ops plans --save -e {name}; have it approved; then apply --plan-id ID.",
        )
    asked = desk.service.asked(kept) if kept else None
    desk.service.refuse_closed(desk.actor, "apply", desk.connected, asked, outside_window)


def _resume(desk: Desk, policy: Path | None, confirm: str | None, outside_window: str | None, as_json: bool) -> None:
    found = journal.deployment(desk.site.write)
    if policy is None:
        desk.take_policy_of(found)
    desk.service.refuse_closed(desk.actor, "apply", desk.connected, None, outside_window)
    # Only a protected environment asks: it was agreed to where this was begun.
    rollout.confirm(desk.connected, f"Go on with {found.name}", True, confirm)
    note = reasons(outside_window=outside_window)
    with desk.begun("apply", resume=found.number, outside_window=outside_window):
        desk.service.note_begun(beginnings.apply_of(desk.site.write, found.id))
        outcome = desk.supervised(
            found.operations,
            lambda conditions: executor.resume(desk.site.write, conditions, found, note),
            outside_window=outside_window,
        )
        _finish(desk, outcome, (), as_json)


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
    confirm: ConfirmOption = None,
    accept_loss: Annotated[bool, typer.Option("--accept-loss", help="Go on although not all comes back.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also take back what someone changed by hand.")] = False,
    outside_window: OutsideWindowOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a deployment back, in reverse order; or finish doing so.

    Exit code 0: done. 1: stopped, or the state is not the one from before. 2: not begun. 130: paused by Ctrl-C.
    """
    if last and wanted:
        raise RolloutError("--last and an ID were both given.", "Give one of them.")
    desk = rollout.open_desk("roll back", environment, policy)
    site = desk.site
    found = journal.deployment(site.write, wanted)
    if policy is None:
        desk.take_policy_of(found)
    conditions = site.conditions(outside_window)
    way = find_way(site.write, found, conditions, phases=phase, conversions=conversions)
    rollout.show_way(way)
    if dry_run:
        _answer(as_json, rollout.way_to_json(way), "Nothing was changed.")
        return
    asked = desk.service.asked_back(way, desk.actor)
    desk.service.refuse_closed(desk.actor, "roll back", site.connected, asked, outside_window)

    def entering(now: Way) -> AbstractContextManager[None]:
        beginning = beginnings.next_rollback_of(site.write, found.id)
        return desk.service.using_approval(
            desk.actor, "roll back", site.connected, desk.service.asked_back(now, desk.actor), beginning
        )

    rollout.confirm(site.connected, f"Take back {len(way.undone)} operations of {found.name}", yes, confirm)
    with desk.begun("roll back", deployment=found.number, phases=phase, outside_window=outside_window):
        outcome = desk.supervised(
            len(way.undone),
            lambda conditions: undoing.rollback(
                site.write,
                found,
                conditions,
                phases=phase,
                conversions=conversions,
                accept_loss=accept_loss,
                force=force,
                entering=entering,
                compare=site.compare,
                note=reasons(outside_window=outside_window),
            ),
            outside_window=outside_window,
        )
        _finish(desk, outcome, (), as_json)


@check_app.command("pre")
def check_pre(environment: EnvironmentOption = None, policy: PolicyOption = None, as_json: JsonOption = False) -> None:
    """What must hold before a deployment. Exit code 0: all passed, 1: one failed, 2: one could not be made."""
    connected, wanted = rollout.open_reading(environment, policy)
    _answer_checks(prechecks(connected, wanted), as_json)


@check_app.command("post")
def check_post(environment: EnvironmentOption = None, policy: PolicyOption = None, as_json: JsonOption = False) -> None:
    """What must hold after a deployment: what the policy set asks for, and how fast recent data are read.

    Exit code 0: all passed, 1: one failed, 2: one could not be made.
    """
    connected, wanted = rollout.open_reading(environment, policy)
    _answer_checks(checks_after(connect_server(connected.database, connected.schema, wanted), wanted), as_json)


def deployments(
    environment: EnvironmentOption = None,
    pause: Annotated[str | None, typer.Option("--pause", metavar="ID", help="Ask it to pause.")] = None,
    cancel: Annotated[
        str | None, typer.Option("--cancel", metavar="ID", help="Give it up; what is done stays.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List what was applied: status, who, when; or ask a running one to stop."""
    if pause and cancel:
        raise RolloutError("--pause and --cancel were both given.", "Give one of them.")
    if pause or cancel:
        _ask(environment, str(pause or cancel), "cancel" if cancel else "pause")
        return
    connected, _ = rollout.open_reading(environment, None)
    listed = journal.deployments(connected.database)
    if as_json:
        typer.echo(json.dumps(as_plain(listed), indent=2, default=str))
        return
    table = Table("No", "Status", "Done", "By", "Started (UTC)", "Took", "Note", box=None)
    for one in listed:
        status = f"rollback {one.status}" if one.direction == "rollback" and one.is_open else one.status
        table.add_row(
            str(one.number),
            status,
            f"{one.done} of {one.operations}",
            escape(f"{one.actor} on {one.host}"),
            instant_text(one.started_at),
            duration_text(one.seconds),
            escape(one.notes),
        )
    answers().print(table if listed else "Nothing was ever applied in this database.")


def _ask(environment: str | None, wanted: str, kind: RequestKind) -> None:
    service = Service.here()
    name = service.settings.chosen(environment)
    at_once = service.ask(shell.actor(), name, wanted, kind)
    happened = "is given up" if at_once else "was asked to give up" if kind == "cancel" else f"was asked to {kind}"
    narration.print(f"Deployment {wanted} {happened}.")


def _finish(desk: Desk, outcome: Outcome, before: tuple[Check, ...], as_json: bool) -> None:
    """Check, write the report, say how it ended, and exit with the code for it."""
    found = conclude(desk.service, desk.site, outcome, policy_text=desk.policy_text, before=before)
    if found.checks:
        _show_checks(narration, found.checks)
    anchors.record_end(
        desk.site,
        outcome.deployment,
        desk.actor,
        "apply" if outcome.direction == "apply" else "roll back",
        "done" if found.status in WELL_ENDED else "failed",
        deployment=outcome.number,
        how=f"{found.status}. {found.reason}".strip(),
    )
    if as_json:
        checks = {"before": as_plain(before), "after": as_plain(found.checks)}
        ends = {"report": list(map(str, found.report)), "missing": found.missing, "checks": checks}
        typer.echo(json.dumps({**as_plain(outcome), **ends}, default=str))
    rollout.show_outcome(outcome, found)
    if outcome.status in ("paused", "cancelled"):
        raise typer.Exit(130 if desk.interrupted else 1)
    if outcome.status == "failed" or worst(found.checks) == "failed" or found.missing:
        raise typer.Exit(1)


def _answer_checks(checks: tuple[Check, ...], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"verdict": worst(checks), "checks": as_plain(checks)}, indent=2))
    else:
        _show_checks(answers(), checks)
    code = {"passed": 0, "failed": 1, "could not check": 2}[worst(checks)]
    if code:
        raise typer.Exit(code)


def _show_checks(console: Console, checks: tuple[Check, ...]) -> None:
    table = Table("", "Check", "Expected", "Found", box=None)
    for column in table.columns:
        column.overflow = "fold"  # names are not cut where the terminal is narrow
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
        answers().print(table)
        narration.print(f"All was rolled back; locks were held for up to {duration_text(trial.locked_seconds)}.")
    if trial.failed:
        raise typer.Exit(1)


def _answer(as_json: bool, values: Any, text: str) -> None:
    if as_json:
        typer.echo(json.dumps(values, indent=2, default=str))
    else:
        narration.print(text)
