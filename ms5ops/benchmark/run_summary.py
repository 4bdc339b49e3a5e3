"""One run in words and frames: which promises it kept, how its samples lie, what a manager reads first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from ms5ops.benchmark.records import GROUPS, PROBLEMS, Group, Outcome, Result, Run, RunHeader, Unit
from ms5ops.benchmark.suite import Suite
from ms5ops.observe.finding import counted
from ms5ops.observe.verdict import Verdict
from ms5ops.units import MISSING, count_text, duration_text, milliseconds_text

Kept = Literal["met", "not met", "no target", "not measured"]

GROUP_TITLES = {
    "recent": "Last hour",
    "short-term": "Last day",
    "historical": "Last week",
    "long-term": "Last month",
    "aggregate": "Summaries",
    "dashboard": "Dashboards",
    "report": "Reports",
    "ingest": "Ingest",
    "concurrency": "Many clients",
    "job latency": "Job starts",
    "load": "Double volume",
    "query": "Other queries",
}
"""Groups of queries, and the other kinds of benchmark, in the order of pages and reports. Queries of no group come
from reports of the old benchmark, which names them as it likes."""

ACRONYMS = {"oee": "OEE", "kpi": "KPI", "kpis": "KPIs"}

POINTS_SHOWN = 120
"""Own choice: more dots than this on one line of a chart hide each other."""

DISTRIBUTION_DTYPES = {
    "benchmark": "string",
    "title": "string",
    "unit": "string",
    "kept": "string",
    "samples": "int64",
    "target": "float64",
    "p5": "float64",
    "p25": "float64",
    "median": "float64",
    "p75": "float64",
    "p95": "float64",
    "maximum": "float64",
}


OUTCOME_TEXTS: dict[Outcome, str] = {
    "ok": "",
    "failed": "failed",
    "timed out": "took longer than it may",
    "empty": "found no rows",
    "different answer": "answered differently from its twin",
    "stopped": "stopped before it was measured",
    "not there": "not there yet",
}


@dataclass(frozen=True)
class GroupSummary:
    """One group of a run against its target.

    ``worst`` is the result that comes nearest to breaking its promise, or breaks it most; None where none has both a
    figure and a target. ``met``, ``missed`` and ``unmeasured`` count benchmarks.
    """

    group: str
    title: str
    kept: Kept
    met: int
    missed: int
    unmeasured: int
    worst: Result | None

    @property
    def sentence(self) -> str:
        """What a manager reads: ``met: the slowest, Latest 100, takes 18 ms (promised: at most 100 ms)``."""
        parts = []
        if self.worst is not None and self.worst.target_p95 is not None:
            one, least = self.worst, self.worst.higher_is_better
            kind = "nearest to its limit" if self.kept == "met" else "furthest from it"
            parts.append(
                f"{kind}: {benchmark_title(one.benchmark)}, {value_text(judged_figure(one), one.unit)}"
                f" (promised: at {'least' if least else 'most'} {target_text(one.target_p95, one.unit)})"
            )
        if self.unmeasured:
            parts.append(f"{counted(self.unmeasured, 'benchmark', 'benchmarks')} gave no figure")
        return "; ".join(parts)


def benchmark_title(name: str) -> str:
    """A benchmark's name as people read it: ``oee_week_raw`` becomes ``OEE week raw``."""
    words = [ACRONYMS.get(word, word) for word in name.replace("_", " ").split()]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def value_text(value: float | None, unit: Unit) -> str:
    """A figure with its unit: ``12.4 ms``, ``14,200 rows/s``."""
    if value is None or pd.isna(value):
        return MISSING
    if unit in ("ms", "s"):
        return milliseconds_text(value if unit == "ms" else value * 1000)
    return f"{count_text(value) if abs(value) >= 100 else f'{value:.1f}'} {unit}"


def target_text(value: float | None, unit: Unit) -> str:
    """A promise, which is a round number: ``100 ms``, ``2 s``, ``5 min``, ``10,000 rows/s``."""
    if value is None or unit not in ("ms", "s"):
        return value_text(value, unit)
    seconds = value / 1000 if unit == "ms" else value
    if seconds >= 60:
        return duration_text(seconds)
    return f"{seconds * 1000:g} ms" if seconds < 1 else f"{seconds:g} s"


def judged_figure(result: Result) -> float | None:
    """What the target is held against: the p95 of times, and of rates the median, which is what was sustained."""
    return result.median if result.higher_is_better else result.p95


def kept(result: Result) -> Kept:
    """Whether a benchmark keeps its promise (phase4.md's targets); without a figure there is no verdict."""
    figure = judged_figure(result)
    if result.outcome != "ok" or (figure is None and result.median is None):
        return "not measured"
    if result.target_p95 is None:
        return "no target"
    if figure is None:  # a summary tells averages, and no p95
        return "not measured"
    return (
        "met"
        if (figure >= result.target_p95 if result.higher_is_better else figure <= result.target_p95)
        else "not met"
    )


def group_of(result: Result) -> str:
    """The group of a query, or the kind of any other benchmark: a key of GROUP_TITLES."""
    return result.group or result.kind


def expected_groups(header: RunHeader, suite: Suite | None) -> tuple[Group, ...]:
    """The groups that a run should hold; ``suite``: the environment's, None where it cannot be read.

    Of questions of one's own those that they are of; a run that was asked others tells by its results what it holds.
    """
    if suite is None or suite.folder is None:
        return GROUPS
    return suite.groups if suite.suite_hash == header.suite_hash else ()


def group_summaries(results: Sequence[Result], expected: Sequence[Group] = GROUPS) -> tuple[GroupSummary, ...]:
    """A summary per group, in the order of GROUP_TITLES.

    A group is met where all its benchmarks with a target are, and at least one was measured; not met where one is not.
    The ``expected`` groups are there, measured or not: what is promised and was not looked at must not be missed.
    """
    found = []
    for group, title in GROUP_TITLES.items():
        own = [result for result in results if group_of(result) == group]
        if own or group in expected:
            found.append(_summary(group, title, own))
    return tuple(found)


def _summary(group: str, title: str, own: Sequence[Result]) -> GroupSummary:
    verdicts = [kept(result) for result in own]
    judged = [result for result, verdict in zip(own, verdicts, strict=True) if verdict in ("met", "not met")]
    overall: Kept = "not measured"
    if "not met" in verdicts:
        overall = "not met"
    elif judged:
        overall = "met"
    elif "no target" in verdicts:
        overall = "no target"
    return GroupSummary(
        group=group,
        title=title,
        kept=overall,
        met=verdicts.count("met"),
        missed=verdicts.count("not met"),
        unmeasured=verdicts.count("not measured"),
        worst=max(judged, key=_strain, default=None),
    )


def _strain(result: Result) -> float:
    """How much of the promise is used up: over 1 it is broken."""
    figure, target = judged_figure(result), result.target_p95
    if figure is None or target is None:
        return 0.0
    above, below = (target, figure) if result.higher_is_better else (figure, target)
    return above / below if below else float("inf")


def verdict(run: Run) -> Verdict:
    """The run in a sentence: how many targets are met, which are not, and what was not measured."""
    verdicts = {result.benchmark: kept(result) for result in run.results}
    missed = [name for name, one in verdicts.items() if one == "not met"]
    met = sum(one == "met" for one in verdicts.values())
    broken = [result for result in run.results if result.outcome in PROBLEMS]
    if not met and not missed:
        return Verdict("info", "No target could be judged: nothing that has one was measured in this run.")
    text = f"{met} of {met + len(missed)} performance targets met."
    if missed:
        more = f" and {len(missed) - 3} more" if len(missed) > 3 else ""
        text += f" Not met: {', '.join(map(benchmark_title, missed[:3]))}{more}."
    if broken:
        text += f" {counted(len(broken), 'benchmark', 'benchmarks')} gave no usable answer."
    absent = sum(result.outcome == "not there" for result in run.results)
    if absent:
        text += f" Not measured, for what it reads is not there: {counted(absent, 'benchmark', 'benchmarks')}."
    return Verdict("warning" if missed or broken else "ok", text)


def marks(header: RunHeader) -> tuple[str, ...]:
    """What has to stand beside a run wherever it is shown: ``partial``, ``summary only`` ..."""
    found = [
        (header.origin != "measured", f"{header.origin} data" if header.origin == "simulated" else header.origin),
        (header.is_partial, "partial"),
        (header.is_summary, "summary only"),
        (header.is_quick, "quick"),
    ]
    return tuple(mark for holds, mark in found if holds)


def run_title(header: RunHeader) -> str:
    """How a run is called: its label, or the environment where it has none, and its start."""
    return f"{header.label or header.environment}, {header.started_at:%Y-%m-%d %H:%M} UTC"


def run_frame(headers: Sequence[RunHeader]) -> pd.DataFrame:
    """The list of runs, newest first: one row each, with ``marks`` as text."""
    rows = [
        (
            header.run_id, header.started_at, header.label or MISSING, header.environment, ", ".join(marks(header)),
            header.actor, (header.finished_at - header.started_at).total_seconds(),
            header.surroundings.timescaledb_version if header.surroundings else None,
            header.surroundings.compressed_share if header.surroundings else None,
        )
        for header in sorted(headers, key=lambda one: one.started_at, reverse=True)
    ]  # fmt: skip
    names = [
        "run_id", "started_at", "label", "environment", "marks", "actor", "seconds", "timescaledb", "compressed_share",
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=names)
    frame["started_at"] = pd.to_datetime(frame["started_at"], utc=True)
    return frame


def result_frame(results: Sequence[Result]) -> pd.DataFrame:
    """One row per benchmark for a table: figures as text with their unit, and in columns ``*_value`` as numbers."""
    order = {group: place for place, group in enumerate(GROUP_TITLES)}
    rows = [
        {
            "title": benchmark_title(result.benchmark),
            "group": GROUP_TITLES[group_of(result)],
            "kept": kept(result).capitalize(),
            "outcome": OUTCOME_TEXTS[result.outcome],
            "median": value_text(result.median, result.unit),
            "p95": value_text(result.p95, result.unit),
            "p99": value_text(result.p99, result.unit),
            "target": target_text(result.target_p95, result.unit),
            "samples": result.samples,
            "rows": result.rows,
            "about": result.about,
            "message": result.message or "",
            "benchmark": result.benchmark,
            "unit": result.unit,
            "median_value": result.median,
            "p95_value": result.p95,
            "p99_value": result.p99,
            "target_value": result.target_p95,
        }
        for result in sorted(results, key=lambda one: order[group_of(one)])
    ]
    return pd.DataFrame(rows)


def distributions(run: Run, units: Sequence[Unit] = ("ms",)) -> pd.DataFrame:
    """How the samples of each measured benchmark in one of ``units`` lie: DISTRIBUTION_DTYPES, slowest last.

    Median and p95 are the run's own figures; p5, p25 and p75 are linear quantiles of its samples. Benchmarks
    without samples (an imported summary's) are not there.
    """
    values = {str(name): part["value"].to_numpy() for name, part in run.samples.groupby("benchmark")}
    rows = []
    for result in run.results:
        own = values.get(result.benchmark)
        if result.outcome != "ok" or result.unit not in units or own is None or not len(own):
            continue
        p5, p25, p75 = np.quantile(own, [0.05, 0.25, 0.75])
        rows.append(
            (
                result.benchmark, benchmark_title(result.benchmark), result.unit, kept(result), len(own),
                result.target_p95, p5, p25, result.median, p75, result.p95, float(own.max()),
            )
        )  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(DISTRIBUTION_DTYPES)).astype(DISTRIBUTION_DTYPES)
    return frame.sort_values("median", ignore_index=True)


def shown_samples(samples: pd.DataFrame, benchmarks: Sequence[str]) -> pd.DataFrame:
    """The samples of ``benchmarks`` to draw as dots: at most POINTS_SHOWN each, evenly by rank with both extremes."""
    parts = []
    for name in benchmarks:
        own = samples[samples["benchmark"] == name].sort_values("value")
        if len(own) > POINTS_SHOWN:
            own = own.iloc[np.linspace(0, len(own) - 1, POINTS_SHOWN).round().astype(int)]
        parts.append(own)
    return pd.concat(parts, ignore_index=True) if parts else samples.iloc[:0]


def plan_frame(results: Sequence[Result]) -> pd.DataFrame:
    """What the server did for each query: plan shape, server-side time and buffers, from the separate EXPLAIN."""
    rows = [
        {
            "title": benchmark_title(result.benchmark),
            "plan": str(result.details["plan"]),
            "server_ms": result.details.get("server_ms"),
            "planning_ms": result.details.get("planning_ms"),
            "buffers_hit": result.details.get("buffers_hit"),
            "buffers_read": result.details.get("buffers_read"),
            "jit": result.details.get("jit"),
        }
        for result in results
        if result.details.get("plan")
    ]
    return pd.DataFrame(rows)
