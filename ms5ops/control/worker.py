"""What a run's own process does: ask again whether it may, check, work, check again, and write down how it ended."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from uuid import UUID

from ms5ops.access import audit
from ms5ops.access.audit import Outcome as Recorded
from ms5ops.access.manage import allowed
from ms5ops.access.roles import Action, Actor
from ms5ops.control import anchors, measuring, plans, policy_sets, runs
from ms5ops.control.conclusion import conclude
from ms5ops.control.runs import ACTIONS, Run
from ms5ops.control.service import Service, about
from ms5ops.control.site import Site, reasons, refuse_blocking, refuse_closed
from ms5ops.control.supervision import supervised
from ms5ops.errors import Ms5opsError, NotAllowed
from ms5ops.rollout import beginnings, executor, journal
from ms5ops.rollout import dry_run as trying
from ms5ops.rollout import rollback as undoing
from ms5ops.rollout.check import Check
from ms5ops.rollout.ends import Outcome
from ms5ops.rollout.plan import check_fresh
from ms5ops.rollout.precheck import prechecks
from ms5ops.rollout.way import Way, find_way
from ms5ops.units import bytes_text

Ended = tuple[str, str]
"""How a run ended (one of ``runs.ENDED``), and why."""


def work(identity: str) -> Ended:
    """Do what a run was started for, and note how it ended. ControlError where it is not to be done (any more)."""
    service = Service.here()
    run = runs.claim(service.store, identity)
    action = ACTIONS[run.order.kind]
    runs.stage(service.store, run.id, "checking who asks")
    actor = Actor(run.actor, "viewer", run.provider)
    try:
        actor = allowed(actor, action, run.order.environment)
        ended = _WORK[run.order.kind](service, run, actor)
        if run.order.kind not in _RECORDED:
            _note(actor, action, run, _recorded(ended), _how(ended))
    except NotAllowed as error:
        ended = "refused", str(error)  # recorded where it was refused
    except Ms5opsError as error:
        ended = "failed", str(error)
        _note(actor, action, run, "failed", str(error))
    except BaseException as error:
        runs.end(service.store, run.id, "failed", f"The run has a defect ({type(error).__name__}); its log tells more.")
        _note(actor, action, run, "failed", f"a defect: {type(error).__name__}")
        raise
    runs.end(service.store, run.id, *ended)
    return ended


def _note(actor: Actor, action: Action, run: Run, outcome: Recorded, how: str) -> None:
    audit.record(actor, action, run.order.environment, outcome, {**about(run.order), "run": run.id, "how": how})


def _recorded(ended: Ended) -> Recorded:
    return "done" if ended[0] in runs.WELL_ENDED else "failed"


def _how(ended: Ended) -> str:
    return f"{ended[0]}. {ended[1]}".strip()


def _concluded(  # noqa: PLR0917 - all that a run has by then
    service: Service, run: Run, actor: Actor, site: Site, outcome: Outcome, text: str, before: Sequence[Check] = ()
) -> Ended:
    """What follows the work, and then how it ended: in the audit log, with that log's head in the journal."""
    found = conclude(service, site, outcome, policy_text=text, before=before, run=run)
    ended = found.status, found.reason
    anchors.record_end(
        site, outcome.deployment, actor, ACTIONS[run.order.kind], _recorded(ended),
        **about(run.order), run=run.id, how=_how(ended),
    )  # fmt: skip
    return ended


def _apply(service: Service, run: Run, actor: Actor) -> Ended:
    kept = plans.of(service.store, run.order.plan, run.order.environment)
    plan, text = plans.documents(service.store, kept)
    site = service.site(actor, run.order.environment, policy_sets.parse(text))
    options = run.order.options
    runs.stage(service.store, run.id, "checking the database")
    before = prechecks(site.connected, site.policy, plan.operations, options.outside_window)
    runs.keep_checks(service.store, run.id, {"before": [one.to_json() for one in before]})
    refuse_blocking(before, options.outside_window)
    service.refuse_closed(actor, "apply", site.connected, service.asked(kept), options.outside_window)
    check_fresh(plan, site.state())

    def entering(deployment: UUID) -> AbstractContextManager[None]:
        beginning = beginnings.apply_of(site.write, deployment)
        return service.using_approval(actor, "apply", site.connected, service.asked(kept), beginning)

    def backing_up(size: int) -> None:
        runs.stage(service.store, run.id, f"making a backup: {bytes_text(size)} so far")

    note = reasons(
        plan=f"{kept.number} of {kept.author}",
        no_backup=options.no_backup,
        outside_window=options.outside_window,
        backup=site.back_up(options.no_backup, backing_up),
    )
    runs.stage(service.store, run.id, "applying", run.id)
    conditions = site.conditions(options.outside_window)
    outcome = supervised(
        site.stop,
        site.limits,
        lambda: site.apply(plan, conditions, note, entering=entering, identity=UUID(run.id)),
    )
    return _concluded(service, run, actor, site, outcome, text, before)


def _resume(service: Service, run: Run, actor: Actor) -> Ended:
    policy, text = service.policy_of(run.order.environment, run.order.deployment)
    site = service.site(actor, run.order.environment, policy)
    options = run.order.options
    service.refuse_closed(actor, "apply", site.connected, None, options.outside_window)
    found = journal.deployment(site.write, run.order.deployment)
    runs.stage(service.store, run.id, "going on", str(found.id))
    service.note_begun(beginnings.apply_of(site.write, found.id))
    note = reasons(outside_window=options.outside_window)
    conditions = site.conditions(options.outside_window)
    outcome = supervised(site.stop, site.limits, lambda: executor.resume(site.write, conditions, found, note))
    return _concluded(service, run, actor, site, outcome, text)


def _roll_back(service: Service, run: Run, actor: Actor) -> Ended:
    policy, text = service.policy_of(run.order.environment, run.order.deployment)
    site = service.site(actor, run.order.environment, policy)
    options = run.order.options
    conditions = site.conditions(options.outside_window)
    found = journal.deployment(site.write, run.order.deployment)
    runs.stage(service.store, run.id, "looking at what will come back", str(found.id))
    phases = options.phases or None
    way = find_way(site.write, found, conditions, phases=phases, conversions=options.conversions)
    asked = service.asked_back(way, actor)
    service.refuse_closed(actor, "roll back", site.connected, asked, options.outside_window)

    def entering(now: Way) -> AbstractContextManager[None]:
        beginning = beginnings.next_rollback_of(site.write, found.id)
        return service.using_approval(actor, "roll back", site.connected, service.asked_back(now, actor), beginning)

    runs.stage(service.store, run.id, "rolling back", str(found.id))
    outcome = supervised(
        site.stop,
        site.limits,
        lambda: undoing.rollback(
            site.write,
            found,
            conditions,
            phases=phases,
            conversions=options.conversions,
            accept_loss=options.accept_loss,
            force=options.force,
            entering=entering,
            compare=site.compare,
            note=reasons(outside_window=options.outside_window),
        ),
    )
    return _concluded(service, run, actor, site, outcome, text)


def _try(service: Service, run: Run, actor: Actor) -> Ended:
    kept = plans.of(service.store, run.order.plan, run.order.environment)
    plan, text = plans.documents(service.store, kept)
    site = service.site(actor, run.order.environment, policy_sets.parse(text))
    refuse_closed(site, run.order.options.outside_window)  # its locks hold writers up as well, for seconds
    check_fresh(plan, site.state())
    runs.stage(service.store, run.id, "trying it in a transaction that is rolled back")
    trial = trying.dry_run(site.write, plan.operations, embedded=site.embedded)
    plans.keep_trial(service.store, kept, trial, by=actor.name, now=service.now())
    if trial.failed:
        return "failed", f"{len(trial.failed)} of {len(trial.trials)} operations fail."
    return "done", ""


def _measure(service: Service, run: Run, actor: Actor) -> Ended:
    return measuring.measure(service.settings, run, actor, lambda text: runs.stage(service.store, run.id, text))


_WORK: dict[runs.Kind, Callable[[Service, Run, Actor], Ended]] = {
    "dry run": _try,
    "apply": _apply,
    "resume": _resume,
    "rollback": _roll_back,
    "benchmark": _measure,
}
_RECORDED: tuple[runs.Kind, ...] = ("apply", "resume", "rollback")
"""Kinds whose end ``_concluded`` records."""
