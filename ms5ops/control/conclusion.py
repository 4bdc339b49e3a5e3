"""What follows a deployment or a rollback: the checks after it, the report, the state that drift is told from."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from ms5ops.control import drift, runs
from ms5ops.control.runs import WELL_ENDED, Run
from ms5ops.control.service import Service
from ms5ops.control.site import Site
from ms5ops.environments import source_id
from ms5ops.errors import Ms5opsError
from ms5ops.rollout import journal, report
from ms5ops.rollout.check import Check, worst
from ms5ops.rollout.ends import Outcome
from ms5ops.rollout.postcheck import postchecks

T = TypeVar("T")


@dataclass(frozen=True)
class Conclusion:
    """How work ended, which what follows it no longer changes.

    ``checks``: those after it. ``report``: its files (Markdown, HTML), none where it could not be written. ``missing``:
    a sentence or two for each thing that should have followed, and could not be done.
    """

    status: str
    reason: str
    checks: tuple[Check, ...] = ()
    report: tuple[Path, ...] = ()
    missing: tuple[str, ...] = ()


def conclude(
    service: Service,
    site: Site,
    outcome: Outcome,
    *,
    policy_text: str | None,
    before: Sequence[Check] = (),
    run: Run | None = None,
) -> Conclusion:
    """Do what follows, each thing for itself: one that fails leaves the others, and the work itself, as they are."""
    deployment = outcome.deployment
    missing: list[str] = []

    def check() -> tuple[Check, ...]:
        if outcome.direction != "apply" or outcome.status != "done":
            return ()
        if run is not None:
            runs.stage(service.store, run.id, "checking the result")
        plan, _ = journal.documents(site.write, deployment)
        return postchecks(site.server, site.policy, plan["phases"])

    def remember() -> None:
        if policy_text is not None and outcome.status in WELL_ENDED:
            drift.remember(
                service.store,
                site.state(),
                journal.deployment(site.write, deployment),
                environment=site.connected.name,
                source=source_id(site.connected),
                policy_text=policy_text,
            )

    def write() -> tuple[Path, ...]:
        found = journal.deployment(site.write, deployment)
        return report.write(report.read_report(site.write, found, before, after))

    after = _tried("It was not checked afterwards", check, missing) or ()
    _tried("What it is now was not kept, so that no drift will be told", remember, missing)
    files = _tried("No report was written", write, missing) or ()
    if run is not None:
        kept = {"before": before, "after": after}
        checks = {name: [asdict(one) for one in made] for name, made in kept.items()}
        runs.keep_checks(service.store, run.id, {**checks, "report": [str(file) for file in files]})
    return Conclusion(outcome.status, _reason(outcome, after, missing), after, files, tuple(missing))


def _tried(otherwise: str, do: Callable[[], T], missing: list[str]) -> T | None:
    try:
        return do()
    except Ms5opsError as error:
        missing.append(f"{otherwise}: {error.happened} {error.next_step}")
        return None


def _reason(outcome: Outcome, after: Sequence[Check], missing: Sequence[str]) -> str:
    reason = outcome.reason or ""
    if outcome.status == "done" and worst(after) == "failed":
        failing = ", ".join(one.title for one in after if one.verdict == "failed")
        reason = f"All is applied; a check after it failed: {failing}."
    return " ".join(filter(None, [reason, *missing]))
