"""A plan as one script for psql: the same statements in the same order, each checked as the executor checks it."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from ms5ops import units
from ms5ops.rollout.operation import PHASES, Operation, Phase
from ms5ops.rollout.plan import Plan
from ms5ops.rollout.sql_text import LOCK_TIMEOUT, literal

WIDTH = 120
"""Characters in a line of comment."""


def to_sql(plan: Plan, *, embedded: bool = False) -> str:
    """The script: five headings, transactional operations in BEGIN/COMMIT, the others outside, advice as comments.

    It ends at the first error or failed check; what was committed by then stays, and a new plan goes on from there.
    ``embedded``: for the embedded engine, where some statements differ.
    """
    lines = [*_head(plan)]
    seen: set[Phase] = set()
    runs = [(phase, list(group)) for phase, group in groupby(plan.operations, key=lambda one: one.phase)]
    for phase, operations in _with_empty_phases(plan, runs):
        lines += _heading(phase, concluded=phase in seen)
        seen.add(phase)
        if not operations:
            lines += ["-- Nothing to do."] if phase in plan.phases else ["-- Not part of this plan."]
        for operation in operations:
            lines += _operation(operation, embedded=embedded)
    if plan.advice:
        lines += ["", rule("For the administrator: not executed")]
        for one in plan.advice:
            lines += comment_lines(f"{one.title} (now {one.actual})")
            lines += [f"--     {line}" if line.startswith("--") else f"--     {line};" for line in one.statements]
    return "\n".join([*lines, ""])


def _with_empty_phases(
    plan: Plan, runs: Sequence[tuple[Phase, list[Operation]]]
) -> Iterator[tuple[Phase, list[Operation]]]:
    """Every phase once in its place, then what waited for a later one."""
    left = list(runs)
    for phase in PHASES:
        if left and left[0][0] == phase:
            yield left.pop(0)
        else:
            yield phase, []
    yield from left


def _head(plan: Plan) -> Iterator[str]:
    yield f"-- Policy rollout of {plan.database}: {len(plan.operations)} operations"
    yield f"-- Planned {plan.made_at} by ms5ops {plan.tool_version} for {plan.server}"
    yield f"-- State {plan.state_hash}"
    yield f"-- Policy {plan.policy_hash}"
    yield "--"
    yield "--   psql -X -f this-file.sql"
    yield "--"
    yield "-- It fits the state of the database that it was planned for. Plan again for another, or after a change."
    for note in plan.notes:
        yield from comment_lines(f"{note.kind}: {note.target}: {note.text}")
    yield ""
    yield from session_settings()


def session_settings() -> Iterator[str]:
    """What a script asks of psql and of its session before it begins."""
    yield "\\set ON_ERROR_STOP on"
    yield "SET timezone = 'UTC';"
    yield "-- Give up rather than queue behind a long query, with every later query queueing behind us."
    yield f"SET lock_timeout = {literal(LOCK_TIMEOUT)};"
    yield "SET client_min_messages = warning;"


def rule(text: str) -> str:
    """A comment line across the script that heads a part of it."""
    return f"-- {text} ".ljust(WIDTH, "-")


def _heading(phase: Phase, *, concluded: bool) -> list[str]:
    return ["", rule(f"Phase {phase}: {PHASES[phase]}{', concluded' if concluded else ''}")]


def _operation(one: Operation, *, embedded: bool) -> Iterator[str]:
    yield ""
    yield from comment_lines(f"{one.key}: {one.title}")
    yield from comment_lines(f"{one.actual} -> {one.desired}")
    yield from comment_lines(f"Lock: {one.lock.mode} on {one.lock.on}, for {one.lock.duration}.{_estimate(one)}")
    if one.destroys:
        yield from comment_lines(f"THIS DESTROYS DATA: {one.destroys}")
    if one.inverse.impossible:
        yield from comment_lines(f"No way back: {one.inverse.impossible}")
    yield f"\\echo {literal(f'{one.key}: {one.title}').replace(chr(92), '/')}"
    statements = [f"{closed(text)};" for text in one.statements_for(embedded=embedded)]
    check = _check(one)
    if one.transactional:
        yield from ("BEGIN;", *statements, check, "COMMIT;")
    else:
        yield from (*statements, check)


def _estimate(one: Operation) -> str:
    known = [
        f"about {units.duration_text(one.estimate.seconds)}" if one.estimate.seconds is not None else "",
        f"{units.bytes_text(one.estimate.extra_bytes)} more disk" if one.estimate.extra_bytes else "",
    ]
    return f" Estimate: {', '.join(filter(None, known))} ({one.estimate.basis})." if any(known) else ""


def _check(one: Operation) -> str:
    """Fails where the operation's verification does not give what it should."""
    failed = literal(f"{one.key} is not verified: expected {one.verification.expected}, found %".replace("'", "’"))
    return (
        "DO $verify$\nDECLARE\n    found text;\nBEGIN\n"
        f"    found := ({one.verification.sql});\n"
        f"    IF found IS DISTINCT FROM {literal(one.verification.expected)} THEN\n"
        f"        RAISE EXCEPTION {failed}, found;\n    END IF;\nEND\n$verify$;"
    )


def closed(text: str) -> str:
    """A statement without its semicolon, where it has one."""
    return text.rstrip().removesuffix(";").rstrip()


def comment_lines(text: str) -> list[str]:
    """The text as a comment, continued lines indented."""
    words, lines, line = " ".join(text.split()).split(" "), [], "--"
    for word in words:
        if len(line) + 1 + len(word) > WIDTH and line not in ("--", "--  "):
            lines.append(line)
            line = "--  "
        line += f" {word}"
    return [*lines, line]
