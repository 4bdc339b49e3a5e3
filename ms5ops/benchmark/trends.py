"""A benchmark over runs and months: its level, where it changed, and what happened there."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Literal

import numpy as np

from ms5ops.benchmark.change_points import MIN_RUNS, SMALLEST, change_points
from ms5ops.benchmark.records import Group, Kind, Origin, Result, Run, RunHeader, Unit
from ms5ops.benchmark.selection import DeploymentSpan
from ms5ops.benchmark.statistics import Estimate, Values, level, median_interval
from ms5ops.benchmark.surroundings import Difference, Topic, differences

_MARKED: tuple[Topic, ...] = ("deployment", "version", "settings", "hardware", "volume")
"""Marked on a trend, and of two equally near the first of these is the one that explains."""


@dataclass(frozen=True)
class Point:
    """A run in a series, in the series' unit. ``low`` and ``high``: 95 % interval of the median within the run, None
    where there are no samples (or were none given) or too few."""

    run_id: str
    label: str | None
    at: datetime
    median: float
    low: float | None
    high: float | None
    p95: float | None
    samples: int
    is_summary: bool
    is_partial: bool


@dataclass(frozen=True)
class Event:
    """Something that changed: at some time after ``since`` and up to ``until`` (the runs around it, or the journal's
    times of a deployment)."""

    topic: Topic
    since: datetime
    until: datetime
    text: str


@dataclass(frozen=True)
class ChangePoint:
    """A change of level: after the run at ``since``, by the run at ``until``.

    ``before`` and ``after`` are the levels of the segments (medians of the runs' medians) in the series' unit;
    ``speedup`` above 1 is better; ``p`` is corrected for the places. ``event``: the nearest one that could explain it,
    None where nothing is known to have changed there.
    """

    since: datetime
    until: datetime
    before: float
    after: float
    speedup: Estimate
    p: float
    verdict: Literal["faster", "slower"]
    runs_before: int
    runs_after: int
    event: Event | None


@dataclass(frozen=True)
class Series:
    """One question in one database over time, oldest first. ``note``: why no change points were sought, None if so."""

    benchmark: str
    kind: Kind
    group: Group | None
    about: str
    unit: Unit
    higher_is_better: bool
    target_p95: float | None
    source: str
    environment: str
    origin: Origin
    points: tuple[Point, ...]
    changes: tuple[ChangePoint, ...]
    note: str | None


@dataclass(frozen=True)
class Regression:
    """A benchmark that got worse, and has not got back to within ``SMALLEST`` of its level since."""

    series: Series
    change: ChangePoint


@dataclass(frozen=True)
class Month:
    """A month of a series: the runs that started in it (UTC).

    ``median`` is the geometric mean of the runs' medians, ``p95`` the median of theirs.
    """

    month: str
    runs: int
    samples: int
    median: float
    low: float | None
    high: float | None
    p95: float | None


@dataclass(frozen=True)
class Trends:
    """All series of the given runs, and what happened meanwhile, oldest first."""

    series: tuple[Series, ...]
    events: tuple[Event, ...]

    @property
    def regressions(self) -> tuple[Regression, ...]:
        """What got worse and still is, the newest first."""
        found = [
            Regression(series, change) for series in self.series for change in series.changes if _stands(series, change)
        ]
        return tuple(sorted(found, key=lambda one: one.change.until, reverse=True))


def trends(
    runs: Sequence[Run],
    deployments: Sequence[DeploymentSpan] = (),
    deployment_names: Mapping[str, str] | None = None,
) -> Trends:
    """The series of every question that the runs (in any order) hold.

    Runs of different databases or origins, and texts of a question that differ, make series of their own. Samples are
    only used for the intervals: runs whose frame of samples is empty will do. ``deployments`` give exact times.
    """
    ordered = sorted(runs, key=lambda run: run.header.started_at)
    by_place: dict[tuple[str, Origin], list[Run]] = defaultdict(list)
    for run in ordered:
        by_place[run.header.source, run.header.origin].append(run)
    series: list[Series] = []
    every: list[Event] = []
    for (source, _), there in by_place.items():
        here = [one for one in deployments if one.source in (None, source)]
        events = events_between([run.header for run in there], here, deployment_names)
        every += [event for event in events if event not in every]
        series += _series_of(there, events)
    return Trends(tuple(series), tuple(sorted(every, key=lambda event: event.until)))


def events_between(
    headers: Sequence[RunHeader],
    deployments: Sequence[DeploymentSpan] = (),
    deployment_names: Mapping[str, str] | None = None,
) -> tuple[Event, ...]:
    """What changed from run to run of one database (oldest first) by their surroundings, and its deployments."""
    found = [
        Event("deployment", one.started_at, one.finished_at or one.started_at, f"Deployment {one.number}")
        for one in deployments
    ]
    known = {one.id for one in deployments}
    for earlier, later in pairwise(headers):
        told = later.surroundings is not None and later.surroundings.deployment_id in known
        changed = differences([earlier], [later], deployment_names)
        for topic in _MARKED:
            here = [one for one in changed if _is_event(one, topic)]
            if here and not (topic == "deployment" and told):
                text = "; ".join(f"{one.subject}: {one.before} → {one.after}" for one in here)
                found.append(Event(topic, earlier.started_at, later.started_at, text))
    return tuple(sorted(found, key=lambda event: event.until))


def by_month(series: Series, confidence: float = 0.95) -> tuple[Month, ...]:
    """The series month by month, oldest first.

    The interval is that of the runs' medians (Student's t of their logarithms) from two runs on: what the scatter
    between runs leaves open. With one run it is that run's own.
    """
    months: dict[str, list[Point]] = defaultdict(list)
    for point in series.points:
        months[point.at.astimezone(UTC).strftime("%Y-%m")].append(point)
    return tuple(_month(name, points, confidence) for name, points in sorted(months.items()))


def _series_of(runs: Sequence[Run], events: Sequence[Event]) -> list[Series]:
    """The series of one database and origin; ``runs`` oldest first."""
    held: dict[tuple[str, Unit, str | None], list[tuple[RunHeader, Result, Point]]] = defaultdict(list)
    for run in runs:
        values = {str(name): frame for name, frame in run.samples.groupby("benchmark", observed=True, sort=False)}
        for result in run.results:
            if result.outcome != "ok" or result.median is None or result.median <= 0:
                continue
            samples = values[result.benchmark]["value"].to_numpy(dtype=float) if result.benchmark in values else None
            point = _point(run.header, result, samples)
            held[result.benchmark, result.unit, result.text_hash].append((run.header, result, point))
    return [_series(entries, events) for entries in held.values()]


def _series(entries: Sequence[tuple[RunHeader, Result, Point]], events: Sequence[Event]) -> Series:
    header, result, _ = entries[-1]
    points = tuple(point for _, _, point in entries)
    note = f"Too few runs to look for changes: {len(points)}, and it takes {MIN_RUNS}."
    return Series(
        benchmark=result.benchmark,
        kind=result.kind,
        group=result.group,
        about=result.about,
        unit=result.unit,
        higher_is_better=result.higher_is_better,
        target_p95=result.target_p95,
        source=header.source,
        environment=header.environment,
        origin=header.origin,
        points=points,
        changes=_changes(points, events, higher_is_better=result.higher_is_better),
        note=note if len(points) < MIN_RUNS else None,
    )


def _point(header: RunHeader, result: Result, samples: Values | None) -> Point:
    interval = None if samples is None or not len(samples) else median_interval(samples)
    return Point(
        run_id=header.run_id,
        label=header.label,
        at=header.started_at,
        median=float(result.median or 0.0),
        low=interval[0] if interval else None,
        high=interval[1] if interval else None,
        p95=result.p95,
        samples=result.samples,
        is_summary=header.is_summary,
        is_partial=header.is_partial,
    )


def _changes(points: Sequence[Point], events: Sequence[Event], *, higher_is_better: bool) -> tuple[ChangePoint, ...]:
    medians = np.array([point.median for point in points])
    changes = []
    for one in change_points(medians):
        speedup = one.ratio if higher_is_better else one.ratio.inverse()
        place = one.place
        changes.append(
            ChangePoint(
                since=points[place - 1].at,
                until=points[place].at,
                before=float(np.median(medians[place - one.runs_before : place])),
                after=float(np.median(medians[place : place + one.runs_after])),
                speedup=speedup,
                p=one.p,
                verdict="faster" if speedup.value > 1 else "slower",
                runs_before=one.runs_before,
                runs_after=one.runs_after,
                event=_nearest_event(points, place, events),
            )
        )
    return tuple(changes)


def _nearest_event(points: Sequence[Point], place: int, events: Sequence[Event]) -> Event | None:
    """The event that falls between the runs around a change, or a run further to either side; the nearest of them."""
    since, until = points[place - 1].at, points[place].at
    earliest, latest = points[max(0, place - 2)].at, points[min(len(points) - 1, place + 1)].at
    near = [event for event in events if event.until > earliest and event.since < latest]

    def distance(event: Event) -> tuple[float, int]:
        apart = max((event.since - until).total_seconds(), (since - event.until).total_seconds(), 0.0)
        around = event.since < until and event.until > since
        return (0.0 if around else 1.0 + apart, _MARKED.index(event.topic))

    return min(near, key=distance, default=None)


def _is_event(difference: Difference, topic: Topic) -> bool:
    """Whether a difference from run to run is worth a mark: data volumes only where they matter."""
    return difference.topic == topic and (topic != "volume" or difference.weight != "noted")


def _stands(series: Series, change: ChangePoint) -> bool:
    """Whether a change was for the worse, and the newest level is not back at the one before it."""
    if change.verdict != "slower":
        return False
    newest = series.changes[-1].after
    lost = change.before / newest if series.higher_is_better else newest / change.before
    return lost >= 1 + SMALLEST


def _month(name: str, points: Sequence[Point], confidence: float) -> Month:
    medians = np.array([point.median for point in points])
    p95 = [point.p95 for point in points if point.p95 is not None]
    interval = (
        level(medians, confidence) if len(points) > 1 else Estimate(points[0].median, points[0].low, points[0].high)
    )
    return Month(
        month=name,
        runs=len(points),
        samples=sum(point.samples for point in points),
        median=interval.value,
        low=interval.low,
        high=interval.high,
        p95=float(np.median(p95)) if p95 else None,
    )
