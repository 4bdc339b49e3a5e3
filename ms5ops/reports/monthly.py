"""A month as one HTML file to be mailed or printed: no script, nothing from elsewhere, text from elsewhere as text."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ms5ops import __version__
from ms5ops.access.audit import Entry
from ms5ops.access.audit_export import details_text
from ms5ops.benchmark.comparison_summary import card_texts, headline, verdict_frame
from ms5ops.benchmark.trend_summary import change_frame
from ms5ops.environments import Origin, source_text
from ms5ops.figures.month_sizes import BOTTOM, HEIGHT, WIDTH, size_bars
from ms5ops.figures.scorecard import sparkline
from ms5ops.observe.finding import counted
from ms5ops.observe.schedule import STATE_WORDS
from ms5ops.observe.storage import shown_name
from ms5ops.reports.month_facts import Change, JobFacts, StorageFacts
from ms5ops.reports.month_reading import Benchmarks, MonthFacts
from ms5ops.scorecard.records import AREAS, Criterion
from ms5ops.units import MISSING, bytes_text, count_text, duration_text, instant_text, percent_text

TEMPLATES = Path(__file__).parent / "templates"
MOST_ENTRIES = 60
"""Entries of the audit log in a report: one that is mailed is no export."""
ORIGINS: dict[Origin, str] = {
    "measured": "measured on a server",
    "simulated": "measured on the embedded engine, whose telemetry is generated",
    "replayed": "measured on the embedded engine in months that were replayed: only the calendar is simulated",
}


@dataclass(frozen=True)
class Tile:
    """A figure of the summary: what it is, its value, and what it stands against."""

    title: str
    value: str
    about: str
    origin: Origin | None = None


def monthly_html(facts: MonthFacts) -> str:
    """The report as HTML text."""
    storage, jobs, benchmarks = facts.storage.value, facts.jobs.value, facts.benchmarks.value
    rows = verdict_frame(benchmarks.compared).to_dict("records") if benchmarks else []
    return _environment().get_template("monthly.html").render(
        facts=facts,
        title=title(facts),
        version=__version__,
        database=source_text(facts.source),
        until=f"as it stood at the end of {facts.month.title}" if facts.is_over
        else f"as it stood on {instant_text(facts.made_at)}: {facts.month.title} is not over",
        origins=[(origin, ORIGINS[origin]) for origin in _origins(facts)],
        tiles=_tiles(facts),
        areas=[(area.capitalize(), [_criterion(one) for one in facts.scorecard.of(area)]) for area in AREAS],
        storage=storage,
        months=_months(storage) if storage else [],
        chart=(WIDTH, HEIGHT, HEIGHT - BOTTOM),
        jobs=jobs,
        job_rows=_job_rows(jobs, facts.schema) if jobs else [],
        verdict=headline(benchmarks.compared) if benchmarks else None,
        differences=[one for one in benchmarks.compared.differences if one.weight != "noted"] if benchmarks else [],
        benchmark_rows=[row for row in rows if row["verdict"] != "Not comparable"],
        uncompared=[row["title"] for row in rows if row["verdict"] == "Not comparable"],
        runs=_runs(benchmarks) if benchmarks else "",
        levels=_levels(benchmarks, facts) if benchmarks else [],
        changes=[_change(one, facts) for one in facts.changes.found(())],
        audit=[_entry(one) for one in facts.audit.found(())[-MOST_ENTRIES:]] if facts.audit else [],
        audit_left=max(0, len(facts.audit.found(())) - MOST_ENTRIES) if facts.audit else 0,
        standing=[one for one in facts.alerts.found(()) if one.cleared_at is None],
        cleared=[one for one in facts.alerts.found(()) if one.cleared_at is not None],
        bytes=bytes_text, change=signed_bytes, share=percent_text, count=count_text, instant=instant_text,
        short=lambda name: shown_name(name, facts.schema),
    )  # fmt: skip


def title(facts: MonthFacts) -> str:
    """What the report is called: ``TimescaleDB in October 2026: plant``."""
    return f"TimescaleDB in {facts.month.title}: {facts.environment}"


def file_name(environment: str, month: str, ending: str = "html") -> str:
    """A name for the file, of letters, digits, dots and dashes: ``ms5ops-plant-2026-10.html``."""
    return f"ms5ops-{re.sub(r'[^A-Za-z0-9.]+', '-', environment).strip('-.')[:60].lower()}-{month}.{ending}"


def signed_bytes(change: float | None) -> str:
    """A change of size with its sign: ``+1.2 GB``; ``no change`` under a byte."""
    if change is None:
        return MISSING
    return "no change" if abs(change) < 1 else f"{'+' if change > 0 else '−'}{bytes_text(abs(change))}"


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip


def _origins(facts: MonthFacts) -> list[Origin]:
    """The origins that occur, the environment's own first."""
    seen = {
        facts.origin,
        *(part.origin for part in (facts.storage, facts.jobs, facts.benchmarks)),
        *(one.answer.origin for one in facts.scorecard.criteria),
        *("replayed" for one in facts.changes.found(()) if one.is_replayed),
    }
    return [facts.origin, *(origin for origin in ORIGINS if origin in seen and origin != facts.origin)]


def _tiles(facts: MonthFacts) -> list[Tile]:
    card = facts.scorecard
    tiles = [
        Tile(
            "Success criteria met",
            f"{card.count('met')} of {len(card.criteria)}",
            f"{card.count('not met')} not met, {card.count('not measured yet')} not measured yet",
        )
    ]
    storage, jobs, benchmarks = facts.storage, facts.jobs, facts.benchmarks
    if storage.value:
        grown = storage.value.change_bytes
        about = "one snapshot only" if grown is None else f"{signed_bytes(grown)} {_since(storage.value, facts)}"
        tiles.append(Tile("Stored", bytes_text(storage.value.size_bytes), about, storage.origin))
        is_compressed = any(one.compressed_chunks for one in storage.value.lines)
        saved = percent_text(storage.value.saved_share) if is_compressed else "none"
        raw = f"uncompressed it would be {bytes_text(storage.value.uncompressed_bytes)}"
        tiles.append(Tile("Space saved", saved, raw, storage.origin))
    if benchmarks.value:
        factor, means = card_texts(benchmarks.value.compared.suite)
        tiles.append(Tile("Query speed", factor, f"{means}, against {facts.month.before.title}", benchmarks.origin))
    if jobs.value:
        runs = "runs are not known yet" if jobs.value.since is None else f"of {counted(jobs.value.runs, 'run', 'runs')}"
        failed = MISSING if jobs.value.since is None else count_text(jobs.value.failures)
        tiles.append(Tile("Failed job runs", failed, runs, jobs.origin))
    if facts.alerts.error is None:
        lines = facts.alerts.found(())
        standing = sum(one.cleared_at is None for one in lines)
        over = len(lines) - standing
        tiles.append(
            Tile(
                "Open alerts",
                str(standing),
                f"{counted(over, 'more was', 'more were')} open, and over again"
                if over
                else "none was open and is over",
            )
        )
    return tiles


def _since(storage: StorageFacts, facts: MonthFacts) -> str:
    if storage.since is not None and facts.month.holds(storage.since):
        return f"since {instant_text(storage.since)}"
    return "in the month"


def _criterion(one: Criterion) -> dict[str, object]:
    answer = one.answer
    return {
        "title": one.question.title,
        "target": one.question.target,
        "text": answer.text,
        "status": answer.status,
        "reason": answer.reason,
        "measured_at": answer.measured_at,
        "origin": answer.origin,
        "evidence": "; ".join(evidence.title for evidence in answer.evidence[:2]),
        "way": f"{one.question.measure.command}" if answer.status == "not measured yet" else "",
        "trend": answer.trend.text if answer.trend else "",
        "trend_origin": answer.trend.origin if answer.trend else None,
        # The drawing escapes what it shows.
        "line": Markup(sparkline(answer.trend)) if answer.trend and len(answer.trend.points) > 1 else "",  # noqa: S704
    }


def _months(storage: StorageFacts) -> list[dict[str, object]]:
    bars = size_bars([(one.size_bytes, one.uncompressed_bytes) for one in storage.months])
    return [
        {
            "month": one.month,
            "stored": bytes_text(one.size_bytes),
            "raw": bytes_text(one.uncompressed_bytes),
            "bar": bar,
        }
        for one, bar in zip(storage.months, bars, strict=True)
    ]


def _job_rows(jobs: JobFacts, schema: str) -> list[dict[str, object]]:
    return [
        {
            "title": one.kind.capitalize() + (f" of {shown_name(one.target, schema)}" if one.target else ""),
            "number": one.job_id,
            "runs": count_text(one.runs),
            "failures": count_text(one.failures),
            "has_failed": bool(one.failures),
            "longest": duration_text(one.longest_seconds),
            "state": STATE_WORDS.get(one.state, one.state),  # type: ignore[call-overload]  # an older history may hold others
            "tone": "good" if one.state in ("ok", "running") else "soft" if one.state in ("new", "paused") else "bad",
            "message": one.message or "",
        }
        for one in jobs.lines
    ]


def _runs(found: Benchmarks) -> str:
    told = []
    for side in (found.compared.before, found.compared.after):
        ids = ", ".join(f"{run.header.run_id[:8]} of {instant_text(run.header.started_at)}" for run in side.runs[:4])
        more = f" and {len(side.runs) - 4} more" if len(side.runs) > 4 else ""
        told.append(f"{side.name}: {counted(len(side.runs), 'run', 'runs')} ({ids}{more})")
    return "; ".join(told)


def _levels(found: Benchmarks, facts: MonthFacts) -> list[dict[str, object]]:
    """The changes of a benchmark's level by a run of this month, and those for the worse that still stand."""
    rows = change_frame(found.trends).to_dict("records")
    return [
        {str(name): value for name, value in row.items()}
        for row in rows
        if row["stands"] or facts.month.holds(row["until"].to_pydatetime())
    ]


def _change(one: Change, facts: MonthFacts) -> dict[str, object]:
    made = one.deployment
    ended = made.finished_at if made.finished_at != one.undone_at else None
    what = f"{made.done} of {counted(made.operations, 'operation', 'operations')} done"
    phases = ", ".join(f"{title} {number}" for title, number in one.phases.items())
    return {
        "name": made.name.capitalize(),
        "status": made.status,
        "began": instant_text(made.started_at),
        "ended": instant_text(ended),
        "undone": instant_text(one.undone_at) if one.undone_at else "",
        "is_undone_later": one.undone_at is not None and one.undone_at >= facts.month.ends,
        "who": f"{made.actor} as {made.db_role}",
        "what": f"{what} ({phases})" if phases else what,
        "note": " ".join(filter(None, (made.applied_note, made.last_reason))),
        "is_replayed": one.is_replayed,
    }


def _entry(one: Entry) -> dict[str, str]:
    return {
        "at": instant_text(one.at),
        "actor": one.actor,
        "action": one.action,
        "outcome": one.outcome,
        "details": details_text(one)[:300],
    }


def summary_line(facts: MonthFacts) -> str:
    """The report in a line, for a terminal or a mail's subject."""
    counts = Counter(one.answer.status for one in facts.scorecard.criteria)
    parts = [f"{counts['met']} of {len(facts.scorecard.criteria)} criteria met"]
    if facts.storage.value:
        parts.append(f"{bytes_text(facts.storage.value.size_bytes)} stored")
    return f"{title(facts)}: {', '.join(parts)}."
