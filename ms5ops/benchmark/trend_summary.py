"""Trends in words and frames: what got slower or faster when, and every benchmark month by month."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from ms5ops.benchmark.comparison_summary import speed_text
from ms5ops.benchmark.run_summary import GROUP_TITLES, benchmark_title, value_text
from ms5ops.benchmark.statistics import median_interval
from ms5ops.benchmark.trends import ChangePoint, Series, Trends, by_month
from ms5ops.observe.finding import counted
from ms5ops.observe.verdict import Verdict
from ms5ops.units import MISSING


def headline(found: Trends) -> Verdict:
    """The whole in a sentence: over how many runs, how many changes of level, and what got worse and still is."""
    runs = {point.run_id for series in found.series for point in series.points}
    months = {point.at.strftime("%Y-%m") for series in found.series for point in series.points}
    changes = [change for series in found.series for change in series.changes]
    over = f"over {counted(len(runs), 'run', 'runs')} in {counted(len(months), 'month', 'months')}"
    worse = found.regressions
    if worse:
        named = list(dict.fromkeys(benchmark_title(one.series.benchmark) for one in worse))
        more = f" and {len(named) - 3} more" if len(named) > 3 else ""
        return Verdict("warning", f"Slower than it was {over}, and still is: {', '.join(named[:3])}{more}.")
    if changes:
        faster = sum(change.verdict == "faster" for change in changes)
        return Verdict(
            "ok", f"Nothing got slower to stay {over}; {counted(faster, 'change', 'changes')} for the better."
        )
    return Verdict("info", f"No change of level stands out {over}.")


def change_frame(found: Trends) -> pd.DataFrame:
    """One row per change of level, newest first; empty with the columns where there is none."""
    changed = [(series, change) for series in found.series for change in series.changes]
    columns = ["title", "since", "until", "verdict", "change", "before", "after", "event", "stands", "runs"]
    rows = [
        _change_row(series, change, any(one.change is change for one in found.regressions))
        for series, change in sorted(changed, key=lambda pair: pair[1].until, reverse=True)
    ]
    return pd.DataFrame(rows, columns=columns)


def _change_row(series: Series, change: ChangePoint, stands: bool) -> dict[str, object]:
    return {
        "title": benchmark_title(series.benchmark),
        "since": change.since,
        "until": change.until,
        "verdict": change.verdict.capitalize() + (", and still is" if stands else ""),
        "change": speed_text(change.speedup.value),
        "before": value_text(change.before, series.unit),
        "after": value_text(change.after, series.unit),
        "event": change.event.text if change.event else "Nothing known happened then",
        "stands": stands,
        "runs": f"{change.runs_before} / {change.runs_after}",
    }


def month_table(series: Sequence[Series]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The median of every benchmark by month as text, a column per month (their names are returned, oldest first)."""
    by_series = [(one, {month.month: month for month in by_month(one)}) for one in series]
    months = tuple(sorted({month for _, own in by_series for month in own}))
    order = {group: place for place, group in enumerate(GROUP_TITLES)}
    rows = [
        {
            "title": benchmark_title(one.benchmark),
            "group": GROUP_TITLES[one.group or one.kind],
            **{month: value_text(own[month].median, one.unit) if month in own else MISSING for month in months},
        }
        for one, own in sorted(by_series, key=lambda pair: order[pair[0].group or pair[0].kind])
    ]
    return pd.DataFrame(rows, columns=["title", "group", *months]), months


def month_frame(series: Series) -> pd.DataFrame:
    """One benchmark by month, numbers in the series' unit: month, runs, samples, median, low, high, p95."""
    return pd.DataFrame(
        [vars(month) for month in by_month(series)],
        columns=["month", "runs", "samples", "median", "low", "high", "p95"],
    )


def with_intervals(series: Series, samples: pd.DataFrame) -> Series:
    """The series with the 95 % interval of each run's median from its samples (``store.load_samples``)."""
    values = {
        str(run_id): part["value"].to_numpy(dtype=float) for run_id, part in samples.groupby("run_id", sort=False)
    }
    points = []
    for point in series.points:
        found = median_interval(values[point.run_id]) if point.run_id in values else None
        points.append(replace(point, low=found[0], high=found[1]) if found else point)
    return replace(series, points=tuple(points))
