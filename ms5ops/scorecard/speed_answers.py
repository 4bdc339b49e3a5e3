"""What the newest benchmark runs say against their targets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ms5ops.benchmark.load import HEADROOM, INGEST, PAGES
from ms5ops.benchmark.records import Result, Run, RunHeader
from ms5ops.benchmark.run_summary import (
    GROUP_TITLES,
    OUTCOME_TEXTS,
    benchmark_title,
    group_of,
    judged_figure,
    kept,
    marks,
    run_title,
    target_text,
    value_text,
)
from ms5ops.benchmark.unrest import UNSEEN
from ms5ops.benchmark.verdicts import MIN_SAMPLES
from ms5ops.observe.finding import counted
from ms5ops.scorecard import months
from ms5ops.scorecard.material import PROMISED, Material
from ms5ops.scorecard.records import Answer, Evidence, Trend, judged, unmeasured
from ms5ops.units import ratio_text

NEWEST_WITHIN = timedelta(days=31)
"""Own choice: the benchmark is a monthly routine, so that a figure counts until the next one was due."""
_SAYS_NOTHING = ("not there", "stopped")
"""Outcomes that tell nothing of the server: what a later run could not ask does not undo an earlier figure."""


@dataclass(frozen=True)
class Newest:
    """The newest result of a benchmark, and the run that holds it."""

    result: Result
    header: RunHeader


def newest_results(runs: Sequence[Run], at: datetime | None = None) -> dict[str, Newest]:
    """By benchmark: the newest result (up to ``at``) that says something, of the month before the newest run."""
    told = sorted((run for run in runs if at is None or run.header.started_at <= at), key=lambda one: _when(one.header))
    if not told:
        return {}
    since = _when(told[-1].header) - NEWEST_WITHIN
    return {
        result.benchmark: Newest(result, run.header)
        for run in told
        if _when(run.header) >= since
        for result in run.results
        if _tells(result, run.header)
    }


def _tells(result: Result, header: RunHeader) -> bool:
    """Whether a result says something of the server: not where it was not there, nor what a stop left of it."""
    is_cut_off = header.is_partial and result.samples < MIN_SAMPLES
    return result.outcome not in _SAYS_NOTHING and not is_cut_off


def targets(found: Material) -> Answer:
    """Whether all performance targets are met, and all of them were measured."""
    own = [one for one in newest_results(found.runs).values() if group_of(one.result) in PROMISED]
    met, missed = ([one for one in own if kept_strictly(one.result) == word] for word in ("met", "not met"))
    if not met and not missed:
        return unmeasured("No benchmark with a target was run yet.")
    seen = {group_of(one.result) for one in (*met, *missed)}
    lacking = [GROUP_TITLES[group] for group in found.promised if group not in seen]
    headers = {one.header.run_id: one.header for one in (*met, *missed)}
    shown: dict[str, Any] = {
        "measured_at": max(_when(one) for one in headers.values()),
        "origin": found.origin,
        "evidence": tuple(map(run_evidence, sorted(headers.values(), key=_when, reverse=True))),
        "details": tuple(sorted(map(_line, (*missed, *met)))),
        "trend": _trend(found, _missed_at, "Targets that were missed", "benchmarks"),
    }
    value, text = float(len(met)), f"{len(met)} of {len(met) + len(missed)} met"
    if missed:
        named = ", ".join(benchmark_title(one.result.benchmark) for one in missed[:3])
        more = f" and {len(missed) - 3} more" if len(missed) > 3 else ""
        return judged(False, value, text, f"Over their target: {named}{more}.", **shown)
    if lacking:
        reason = f"All that were measured are met; not measured yet: {', '.join(lacking)}."
        return unmeasured(reason, value, text, **shown)
    return judged(True, value, text, "Every benchmark that has a target meets it.", **shown)


def kept_strictly(result: Result) -> str:
    """As ``run_summary.kept``; what took longer than it may has missed its target, though by how much is not known."""
    return "not met" if result.outcome == "timed out" and result.target_p95 is not None else kept(result)


def dashboards(found: Material) -> Answer:
    """Whether the slowest dashboard opens in time."""
    return _slowest(found, "dashboard", "dashboard", "dashboards")


def reports(found: Material) -> Answer:
    """Whether the slowest report is ready in time."""
    return _slowest(found, "report", "report", "reports")


def _slowest(found: Material, group: str, one: str, many: str) -> Answer:
    run = next((run for run in reversed(_in_order(found.runs)) if _asked(run, group)), None)
    if run is None:
        return unmeasured(f"No benchmark run has measured any {one} yet.")
    own = _measured(run, group)
    missed = [result for result in own if kept_strictly(result) == "not met"]
    unknown = [result for result in _asked(run, group) if result not in own]
    shown: dict[str, Any] = {
        "measured_at": _when(run.header),
        "origin": found.origin,
        "evidence": (run_evidence(run.header),),
        "details": tuple(_line(Newest(result, run.header)) for result in _asked(run, group)),
        "trend": _trend(
            found,
            lambda runs: _slowest_figure(runs[-1], group),
            f"p95 of the slowest {one}",
            "ms",
            scatter=UNSEEN,
        ),
    }
    without = f"These gave no figure: {', '.join(benchmark_title(result.benchmark) for result in unknown)}."
    if not own:
        return unmeasured(without, **shown)
    slowest = max(own, key=lambda result: (result.outcome == "timed out", judged_figure(result) or 0.0))
    figure = judged_figure(slowest)
    if figure is None:
        reason = f"{benchmark_title(slowest.benchmark)} {OUTCOME_TEXTS[slowest.outcome]}, and gave no figure."
        return Answer("not met", None, "no answer in time", reason, **shown)
    text = value_text(figure, slowest.unit)
    promise = target_text(slowest.target_p95, slowest.unit)
    if not missed and unknown:
        return unmeasured(without, figure, text, **shown)
    tail = f"{benchmark_title(slowest.benchmark)}, takes {text} (p95; {counted(len(own), one, many)} measured)"
    reason = f"The slowest, {tail}: {'over' if missed else 'under'} the {promise} promised."
    return judged(not missed, figure, text, reason, **shown)


def _slowest_figure(run: Run, group: str) -> float | None:
    """The largest figure of a run's group; None where one has none: how long that would have taken is not known."""
    figures = [judged_figure(one) for one in _measured(run, group)]
    told = [one for one in figures if one is not None]
    return max(told) if told and len(told) == len(figures) else None


def double_volume(found: Material) -> Answer:
    """Whether twice the expected volume is taken in while dashboards stay quick."""
    run = next((run for run in reversed(_in_order(found.runs)) if _load(run)), None)
    if run is None:
        return unmeasured(_why_no_load(found.runs))
    results = _load(run)
    ingest, pages, headroom = (results.get(name) for name in (INGEST, PAGES, HEADROOM))
    times = _times(run)
    shown: dict[str, Any] = {
        "measured_at": _when(run.header),
        "origin": found.origin,
        "evidence": (run_evidence(run.header),),
        "details": tuple(_line(Newest(one, run.header)) for one in (ingest, pages, headroom) if one),
        "trend": _trend(found, lambda runs: _times(runs[-1]), "Volume kept up with", "x", more_is_better=True),
    }
    if times is None or ingest is None or pages is None or pages.outcome != "ok":
        return unmeasured("The load benchmark gave no figure for ingest or for dashboards.", **shown)
    written, opened = kept(ingest), kept(pages)
    load_time = f"dashboards {value_text(pages.p95, pages.unit)}"
    room = headroom.details.get("times_expected") if headroom is not None else None
    left = f" As fast as it goes, it takes {ratio_text(room)} the expected volume." if room else ""
    reason = (
        f"It kept up with {ratio_text(times)} the expected volume while dashboards loaded in "
        f"{value_text(pages.p95, pages.unit)} (p95)." + left
    )
    return judged(written == opened == "met", times, f"{ratio_text(times)}, {load_time}", reason, **shown)


def _why_no_load(runs: Sequence[Run]) -> str:
    """What the newest run that was asked for the load benchmark says of it."""
    told = [one.message for run in _in_order(runs) for one in run.results if one.kind == "load" and one.message]
    return f"The load benchmark gave no figure. {told[-1]}" if told else "The load benchmark was not run yet."


def _times(run: Run) -> float | None:
    """How many times the expected volume was written per second."""
    ingest = _load(run).get(INGEST)
    expected = ingest.details.get("expected_rows_per_s") if ingest else None
    return ingest.median / expected if ingest and ingest.median is not None and expected else None


def _load(run: Run) -> dict[str, Result]:
    return {one.benchmark: one for one in run.results if one.kind == "load" and _tells(one, run.header)}


def _asked(run: Run, group: str) -> list[Result]:
    return [one for one in run.results if group_of(one) == group and _tells(one, run.header)]


def _measured(run: Run, group: str) -> list[Result]:
    return [one for one in _asked(run, group) if kept_strictly(one) in ("met", "not met")]


def _missed_at(runs: Sequence[Run]) -> float | None:
    """How many targets were missed when the last of these runs was the newest."""
    own = [one for one in newest_results(runs).values() if group_of(one.result) in PROMISED]
    verdicts = [kept_strictly(one.result) for one in own]
    return float(verdicts.count("not met")) if {"met", "not met"} & set(verdicts) else None


def _trend(
    found: Material,
    value: Callable[[Sequence[Run]], float | None],
    what: str,
    unit: str,
    *,
    more_is_better: bool = False,
    scatter: float = 0.0,
) -> Trend | None:
    """``value`` of the runs up to each one, by month."""
    runs = _in_order(found.runs)
    told = [(_when(run.header), value(runs[: place + 1])) for place, run in enumerate(runs)]
    values = [(at, one) for at, one in told if one is not None]
    return months.trend(values, what, unit, more_is_better=more_is_better, scatter=scatter)


def _in_order(runs: Sequence[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: _when(run.header))


def _when(header: RunHeader) -> datetime:
    return header.started_at


def _line(one: Newest) -> str:
    result = one.result
    title = benchmark_title(result.benchmark)
    if result.outcome != "ok":
        return f"{title}: {OUTCOME_TEXTS[result.outcome]}. {result.message or ''}".strip()
    target = target_text(result.target_p95, result.unit) if result.target_p95 is not None else "none"
    figure = "median" if result.higher_is_better else "p95"
    return f"{title}: {figure} {value_text(judged_figure(result), result.unit)}, target {target}: {kept(result)}"


def run_evidence(header: RunHeader) -> Evidence:
    """A run as what shows a value."""
    noted = [mark for mark in marks(header) if mark in ("quick", "partial", "summary only", "replayed")]
    title = run_title(header) + (f" ({', '.join(noted)})" if noted else "")
    return Evidence(
        f"Benchmark run {title}",
        header.run_id,
        header.started_at,
        f"python -m ms5ops benchmark show {header.run_id}",
        "benchmarks",
        {"run": header.run_id},
    )
