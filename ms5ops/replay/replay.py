"""The replay itself: its steps in order, each with what it is called and about how long it takes."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ms5ops.collect import keep
from ms5ops.config import SANDBOX
from ms5ops.control import policy_sets
from ms5ops.database import Database, Target
from ms5ops.environments import Connected
from ms5ops.errors import SandboxError
from ms5ops.history import History
from ms5ops.queries import ANY_VERSION, query
from ms5ops.replay import clock as clocks
from ms5ops.replay import deployment, fitted, kept
from ms5ops.replay.calendar import Month, Scale, months, refresh_window, strides
from ms5ops.rollout import running
from ms5ops.sandbox import fill, process, replaying
from ms5ops.sandbox.fill import Progress, Volume

Report = Callable[[Progress], None]
_CREATE_S, _LOAD_S, _MEASURE_S, _DEPLOY_S, _STRIDE_S, _DROP_S, _CLOSING_S = 1.0, 3.0, 3.0, 14.0, 0.6, 0.2, 6.0
"""About how long the steps take; only the proportions matter. Measured on two cores."""


class Interrupted(SandboxError):
    """The replay was asked to stop."""

    def __init__(self) -> None:
        super().__init__("The replay was stopped.", "It begins anew at the next start, or skip it with --no-replay.")


@dataclass
class Stop:
    """A request to stop, from another thread: a step ends first, Phase 4 in good order between two operations."""

    _asked: threading.Event = field(default_factory=threading.Event)
    rollout: running.Stop = field(default_factory=running.Stop)

    def request(self) -> None:
        """Stop soon."""
        self._asked.set()
        self.rollout.request("The replay was stopped.", grace_s=1.0)

    def check(self) -> None:
        """Interrupted where it was asked for."""
        if self._asked.is_set():
            raise Interrupted


@dataclass(frozen=True)
class _Step:
    month: int
    label: str
    seconds: float
    run: Callable[[], None]


def is_due(found: fill.Filled | None, folder: Path | None = None) -> bool:
    """Whether a start of the sandbox should replay: nothing whole is in it, or a replay that nobody is at any more."""
    if found is None:
        return replaying.status(folder) is None
    return found.replay == "under way" and replaying.status(folder) is None


def replay(
    scale: Scale = Scale(),  # noqa: B008  # frozen
    *,
    report: Report = lambda _progress: None,
    stop: Stop | None = None,
    began: Callable[[], None] = lambda: None,
    history: History | None = None,
    folder: Path | None = None,
    seed: int = 1,
) -> None:
    """Empty the sandbox of the folder (None: the usual one) and replay months of factory life in it, up to now.

    ``began`` is called as soon as the first month is there, so that pages have something to show. An end before the
    end, however it comes, leaves a mark by which the next start begins anew. Raises SandboxError where another process
    replays, Interrupted where ``stop`` asked for it.
    """
    stop = stop or Stop()
    with replaying.alone(scale.months, folder) as announced:
        target = process.start(folder).target
        if not Database(target).row(query(clocks.FOLDER, "blank", ANY_VERSION).sql)["blank"]:
            process.wipe(folder)
            target = process.start(folder).target
        work = _Replay(target, scale, history or History(), stop, seed=seed)
        work.run(announced, report, began)


class _Replay:
    def __init__(self, target: Target, scale: Scale, history: History, stop: Stop, *, seed: int) -> None:
        self._write, self._read = Database(target, "write"), Database(target)
        self._scale, self._history, self._stop = scale, history, stop
        self._months = months(datetime.now(UTC).replace(second=0, microsecond=0), scale)
        first, last = self._months[0], self._months[-1]
        self._volume = Volume(rows=scale.rows_a_day * first.days, days=first.days, end=first.end, seed=seed)
        self._start, self._end = first.start, last.end
        self._policy = policy_sets.parse(fitted.text())
        self._rows = 0

    def run(self, announced: replaying.Announcement, report: Report, began: Callable[[], None]) -> None:
        """All steps."""
        with self._closing(), clocks.held(self._write) as self._clock:
            steps = list(self._steps(began))
            total, done, began_s = sum(step.seconds for step in steps), 0.0, time.monotonic()
            for step in steps:
                self._stop.check()
                self._tell(announced, report, step, Progress(step.label, done, total, time.monotonic() - began_s))
                step.run()
                done += step.seconds
            report(Progress("Replayed", total, total, time.monotonic() - began_s))

    @contextmanager
    def _closing(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._write.close()
            self._read.close()

    def _tell(self, announced: replaying.Announcement, report: Report, step: _Step, progress: Progress) -> None:
        announced.say(
            month=step.month, label=step.label, fraction=progress.fraction,
            remaining_seconds=progress.remaining_seconds,
        )  # fmt: skip
        report(progress)

    # The steps ----------------------------------------------------------------------------------------------

    def _steps(self, began: Callable[[], None]) -> Iterator[_Step]:
        for month in self._months:
            name = f"Month {month.number} of {self._scale.months} ({month.label})"
            if month.number == 1:
                yield _Step(1, f"{name}: data", _CREATE_S + _LOAD_S, partial(self._begin, began))
            elif not month.is_after:
                yield _Step(month.number, f"{name}: data", _LOAD_S, partial(self._load, month.start, month.end))
            else:
                yield from self._strides(month, name)
            if month.number == self._scale.before + 1:
                yield _Step(month.number, f"{name}: dropping the tables that were kept", _DROP_S, self._drop_kept)
            is_last = month.end == self._end
            yield _Step(month.number, f"{name}: measuring", _MEASURE_S, partial(self._measure, month, is_last=is_last))
            if month.number == self._scale.before and self._scale.after:
                yield _Step(month.number, "Phase 4 is applied", _DEPLOY_S, self._deploy)
        yield _Step(self._scale.months, "Finishing", 0.1, self._finish)

    def _strides(self, month: Month, name: str) -> Iterator[_Step]:
        is_last = month.end == self._end
        until = month.end - self._scale.closing if is_last else month.end
        for start, end in strides(month.start, until, self._scale.stride):
            yield _Step(month.number, f"{name}: data and jobs", _STRIDE_S, partial(self._stride, start, end))
        if is_last:
            label = f"{name}: the last hours, job by job"
            yield _Step(month.number, label, _CLOSING_S, partial(self._close, until, month.end))

    def _begin(self, began: Callable[[], None]) -> None:
        self._clock.move_to(self._start)
        made = fill.fill(self._write, "legacy", self._volume, lambda _progress: None, replay="under way")
        self._rows += made.rows
        self._clock.move_to(self._volume.end)
        began()

    def _load(self, start: datetime, end: datetime) -> None:
        self._rows += fill.extend(self._write, self._volume, start, end)
        self._clock.move_to(end)

    def _stride(self, start: datetime, end: datetime) -> None:
        """A few days: their data arrive and are aggregated, then every job runs that has come due."""
        self._rows += fill.extend(self._write, self._volume, start, end)
        self._refresh(start, end)  # before the calendar moves: the jobs that are due then begin at once
        self._clock.move_to(end)
        self._clock.settle()

    def _refresh(self, start: datetime, end: datetime) -> None:
        """What thousands of runs of the refresh jobs would have done meanwhile, in one go for each aggregate."""
        refresh = query(clocks.FOLDER, "refresh", ANY_VERSION).sql
        for aggregate in self._policy.active_aggregates:
            window = refresh_window(start, end, aggregate.bucket, aggregate.end_offset)
            if window is not None:
                name = self._policy.qualified(aggregate.name)
                self._write.execute(refresh, {"aggregate": name, "start": window[0], "end": window[1]})

    def _close(self, start: datetime, end: datetime) -> None:
        """The last hours, in which every job runs at its own time; what the strides recorded is kept before."""
        self._keep(self._connected(self._read))
        self._write.execute(query(clocks.FOLDER, "forget_job_runs", ANY_VERSION).sql)
        self._rows += fill.extend(self._write, self._volume, start, end)
        self._clock.settle()
        while (due := self._clock.next_run()) is not None and due < end:
            self._stop.check()
            self._clock.move_to(due)
            self._clock.settle()
        self._clock.move_to(end)
        self._clock.settle()

    def _measure(self, month: Month, *, is_last: bool) -> None:
        fill.analyze(self._write)
        connected = self._connected(self._read)
        self._keep(connected)
        kept.benchmark(self._history, connected, self._policy, month, self._clock.ahead)
        if is_last:
            self._clock.move_to(month.end)

    def _keep(self, connected: Connected) -> None:
        """A snapshot by the simulated calendar, and the job runs so far."""
        keep(self._history, connected, lambda: self._policy)

    def _deploy(self) -> None:
        deployment.apply_phase4(self._connected(self._write), self._stop.rollout, lambda _progress: None)
        self._clock.settle()

    def _drop_kept(self) -> None:
        deployment.drop_kept_tables(self._connected(self._write), self._stop.rollout)

    def _finish(self) -> None:
        fill.replayed(
            self._write,
            rows=self._rows,
            start=self._start,
            end=self._end,
            state="optimised" if self._scale.after else "legacy",
        )

    def _connected(self, database: Database) -> Connected:
        return Connected(
            name=SANDBOX,
            database=database,
            origin="replayed",
            protected=False,
            maintenance_window="always",
            schema=fill.SCHEMA,
        )
