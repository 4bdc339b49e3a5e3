"""The validation report after a deployment: who, when, what, how long, and the checks before and after.

Markdown for a ticket, and one HTML file that needs nothing else. Everything comes from the journal and the checks.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ms5ops import paths
from ms5ops.errors import RolloutError
from ms5ops.rollout import journal
from ms5ops.rollout.check import Check
from ms5ops.rollout.journal import Deployment, Event, OperationRow, Reader
from ms5ops.rollout.operation import PHASES
from ms5ops.units import duration_text, instant_text

Row = tuple[str, ...]
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1c2430}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}th,td{text-align:left;padding:.3rem .6rem;"
    "border-bottom:1px solid #d5dae1;vertical-align:top}th{background:#f2f4f7}"
    "td:first-child{white-space:nowrap}"
    "td:nth-child(5):nth-last-child(2),td:nth-child(6){white-space:nowrap}"  # of an operation: when, how long
    "h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}"
)

_PRODUCTS = {"timescaledb": "TimescaleDB", "postgresql": "PostgreSQL"}


@dataclass(frozen=True)
class Section:
    """A heading, a paragraph, and a table (the first row is its head)."""

    title: str
    text: str = ""
    table: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Report:
    """What a report says, before it is written in a format."""

    deployment: Deployment
    rows: tuple[OperationRow, ...]
    events: tuple[Event, ...]
    before: tuple[Check, ...] = ()
    after: tuple[Check, ...] = ()
    extra: tuple[str, ...] = field(default=())

    @property
    def title(self) -> str:
        """Its heading."""
        return f"Policy rollout on {self.deployment.environment}: {self.deployment.name}, {self.deployment.status}"

    def sections(self) -> tuple[Section, ...]:
        """The parts in order."""
        one = self.deployment
        facts: list[Row] = [
            ("Environment", one.environment),
            ("Status", one.status),
            ("Noted", one.notes or "nothing"),
            ("By", f"{one.actor} as role {one.db_role}, from {one.host} (process {one.pid})"),
            ("Started", instant_text(one.started_at)),
            ("Finished", instant_text(one.finished_at)),
            ("Operations", f"{one.done} of {one.operations} done"),
            (
                "Servers",
                ", ".join(f"{_PRODUCTS.get(name, name)} {version}" for name, version in one.server_versions.items()),
            ),
            ("ms5ops", one.tool_version),
            ("Plan", one.plan_hash),
            ("State before", one.state_hash),
            ("Policy", one.policy_hash),
            ("Id", str(one.id)),
        ]
        parts = [Section("Deployment", "\n".join(self.extra), (("What", "Value"), *facts))]
        parts += [_checks("Checks before", self.before)] if self.before else []
        parts += [
            _operations(f"Phase {phase}: {title}", [row for row in self.rows if row.operation.phase == phase])
            for phase, title in PHASES.items()
            if any(row.operation.phase == phase for row in self.rows)
        ]
        parts += [_checks("Checks after", self.after)] if self.after else []
        noted = [one for one in self.events if one.level != "info"]
        head = ("When", "Level", "Operation", "What")
        lines = [(instant_text(one.at), one.level, one.operation or "", one.message) for one in noted]
        parts.append(Section("Warnings and errors", "" if noted else "None.", (head, *lines) if noted else ()))
        return tuple(parts)

    def markdown(self) -> str:
        """As Markdown."""
        lines = [f"# {self.title}", ""]
        for section in self.sections():
            lines += [f"## {section.title}", ""]
            lines += [section.text, ""] if section.text else []
            for number, row in enumerate(section.table):
                lines.append("| " + " | ".join(_cell(value) for value in row) + " |")
                if number == 0:
                    lines.append("|" + "---|" * len(row))
            lines += [""] if section.table else []
        return "\n".join(lines)

    def html(self) -> str:
        """As one HTML page without anything from elsewhere."""
        parts = [
            f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{html.escape(self.title)}</title>",
            f"<style>{_STYLE}</style></head><body><h1>{html.escape(self.title)}</h1>",
        ]
        for section in self.sections():
            parts.append(f"<h2>{html.escape(section.title)}</h2>")
            if section.text:
                parts.append(f"<p>{html.escape(section.text)}</p>")
            for number, row in enumerate(section.table):
                tag = "th" if number == 0 else "td"
                parts.append("<table>" if number == 0 else "")
                parts.append("<tr>" + "".join(f"<{tag}>{html.escape(value)}</{tag}>" for value in row) + "</tr>")
            parts.append("</table>" if section.table else "")
        return "\n".join([*filter(None, parts), "</body></html>"])


def folder() -> Path:
    """Where reports are put: ``reports/`` in the state folder."""
    return paths.state_folder() / "reports"


def read_report(
    reader: Reader, deployment: Deployment, before: Sequence[Check] = (), after: Sequence[Check] = (), *extra: str
) -> Report:
    """The report of a deployment, from its journal."""
    return Report(
        deployment=journal.deployment(reader, deployment.id),
        rows=journal.operations(reader, deployment.id),
        events=journal.events(reader, deployment.id),
        before=tuple(before),
        after=tuple(after),
        extra=extra,
    )


def write(report: Report, into: Path | None = None) -> tuple[Path, Path]:
    """Write it as Markdown and HTML; the two files. RolloutError where they cannot be written.

    That of a way back stands beside the one of the deployment, which has the checks.
    """
    into = into or folder()
    one = report.deployment
    back = "_rollback" if one.direction == "rollback" else ""
    name = f"{one.environment}_{one.number:04d}_{one.id.hex[:8]}{back}"
    files = into / f"{name}.md", into / f"{name}.html"
    try:
        into.mkdir(parents=True, exist_ok=True)
        files[0].write_text(report.markdown(), encoding="utf-8")
        files[1].write_text(report.html(), encoding="utf-8")
    except OSError as error:
        raise RolloutError(
            f"The report cannot be written into {into} ({error.strerror}).",
            "Make room for it there; `python -m ms5ops deployments` shows the same from the journal.",
        ) from error
    return files


def _checks(title: str, checks: Sequence[Check]) -> Section:
    lines = [(check.verdict, check.title, check.expected, check.found, _evidence(check)) for check in checks]
    return Section(title, table=(("Verdict", "Check", "Expected", "Found", "Evidence, and what to do"), *lines))


def _evidence(check: Check) -> str:
    evidence = "; ".join(check.evidence)
    return ". ".join(filter(None, (evidence, check.advice)))


def _operations(title: str, rows: Sequence[OperationRow]) -> Section:
    lines = [
        (
            str(row.ordinal),
            row.operation.title,
            f"{row.operation.actual} → {row.operation.desired}",
            _status(row),
            instant_text(row.started_at),
            duration_text(row.seconds),
        )
        for row in rows
    ]
    return Section(title, table=(("No", "Operation", "Was → should be", "Status", "Started", "Took"), *lines))


def _status(row: OperationRow) -> str:
    if row.operation.advice:
        match row.progress.get("satisfied"):
            case None:
                return "advised; not checked"
            case satisfied:
                return "as advised" if satisfied else "advised; not so yet"
    return row.status + (f": {row.error}" if row.error else "")


def _cell(value: str) -> str:
    return " ".join(value.replace("|", "\\|").split())
