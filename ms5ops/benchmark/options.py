"""What a run is asked to measure, where, and how it tells how far it is."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from ms5ops.benchmark.anchor import Choice
from ms5ops.benchmark.records import Group, Result
from ms5ops.benchmark.sampling import FULL, QUICK, Effort, Sample
from ms5ops.benchmark.suite import Suite
from ms5ops.benchmark.suite_files import load_suite
from ms5ops.config import Settings
from ms5ops.environments import Connected, connect, source_id
from ms5ops.errors import ConfigError
from ms5ops.policy.document import PolicySet, default_policy

Part = Literal["query", "ingest", "concurrency", "jobs", "load"]
PARTS: tuple[Part, ...] = get_args(Part)
READING: tuple[Part, ...] = ("query", "jobs")
"""The parts of an ordinary run: they only read, one page at a time. The others load the server on purpose."""


@dataclass(frozen=True)
class Options:
    """What to measure. ``groups`` restricts the questions (none: all); ``anchor`` None is the newest sample.

    ``seed`` decides every random order: the same one repeats it.
    """

    label: str | None = None
    groups: tuple[Group, ...] = ()
    parts: tuple[Part, ...] = READING
    is_quick: bool = False
    anchor: datetime | None = None
    seed: int = 1
    actor: str = "nobody"
    note: str | None = None
    effort: Effort | None = None

    @property
    def chosen_effort(self) -> Effort:
        """The given effort, or the one that quick or full stands for."""
        return self.effort or (QUICK if self.is_quick else FULL)


@dataclass(frozen=True)
class Site:
    """Where to measure: a reading connection, a changing one where it can be had, the database's identity.

    ``refusal`` says why there is no changing one: what has to write passes it on. ``policy`` says which tables there
    should be, and how much is expected to come in.
    """

    read: Connected
    write: Connected | None
    source: str
    refusal: ConfigError | None = None
    policy: PolicySet = field(default_factory=default_policy, repr=False)
    suite: Suite = field(default_factory=load_suite, repr=False)


@contextmanager
def open_site(settings: Settings, environment: str | None, policy_of: Callable[[str], PolicySet]) -> Iterator[Site]:
    """The site of an environment (None: the default one), closed when the block ends.

    ``policy_of``: the policy set of an environment, by its name. Raises as that, as ``connect``, and as ``load_suite``.
    """
    policy = policy_of(settings.chosen(environment))
    read = connect(settings, environment)
    suite = load_suite(read.benchmarks)
    write, refusal = None, None
    try:
        write = connect(settings, environment, "deploy")
    except ConfigError as error:  # reading needs none
        refusal = error
    try:
        yield Site(read, write, source_id(read), refusal, policy, suite)
    finally:
        for connected in (read, write):
            if connected is not None:
                connected.database.close()


@dataclass(frozen=True)
class Progress:
    """How far a run is: seconds of work done, of those expected by now, and what is measured now."""

    label: str
    done_seconds: float
    total_seconds: float

    @property
    def fraction(self) -> float:
        """0 to 1."""
        return min(1.0, self.done_seconds / self.total_seconds) if self.total_seconds else 0.0

    @property
    def remaining_seconds(self) -> float:
        """The estimate, which gets better once everything has been asked once."""
        return max(0.0, self.total_seconds - self.done_seconds)


Report = Callable[[Progress], None]
Stop = Callable[[], bool]


@dataclass
class Pace:
    """Keeps the estimate of a run: what each part is expected to take, and what it has taken."""

    report: Report
    stop: Stop
    expected: dict[str, float] = field(default_factory=dict)
    taken: dict[str, float] = field(default_factory=dict)
    _part: str = ""
    _began: float = 0.0

    def begin(self, part: str, seconds: float | None = None) -> None:
        """Start a part of the run; ``seconds`` corrects what it is expected to take."""
        self._close()
        self._part, self._began = part, time.monotonic()
        if seconds is not None:
            self.expected[part] = seconds

    def say(self, label: str) -> None:
        """Tell what is measured now."""
        now = time.monotonic() - self._began
        others = sum(self.taken.get(part, seconds) for part, seconds in self.expected.items() if part != self._part)
        total = others + max(self.expected.get(self._part, 0.0), now)
        done = sum(seconds for part, seconds in self.taken.items() if part != self._part)
        self.report(Progress(label, done + now, total))

    def end(self) -> None:
        """The run is over."""
        self._close()
        done = sum(self.taken.values())
        self.report(Progress("Done", done, done))

    def _close(self) -> None:
        if self._part:
            self.taken[self._part] = time.monotonic() - self._began


@dataclass
class Gathered:
    """Results so far, and their samples by benchmark."""

    results: list[Result] = field(default_factory=list)
    samples: dict[str, Sequence[Sample]] = field(default_factory=dict)

    def add(self, result: Result, samples: Sequence[Sample]) -> None:
        """One more benchmark."""
        self.results.append(result)
        if samples:
            self.samples[result.benchmark] = samples

    def lacks(self, name: str) -> bool:
        """Whether the benchmark has no result yet."""
        return all(one.benchmark != name for one in self.results)


Keep = Callable[[Callable[[], Gathered]], None]


def _keep_nothing(_make: Callable[[], Gathered]) -> None:
    """For a run whose results nobody waits for before its end."""


@dataclass(frozen=True)
class Work:
    """What a part of a run gets: where, what was asked for, how much effort, what the questions are asked of.

    ``keep`` is called with what makes all results so far, whenever there are more: it asks for them now and then.
    """

    site: Site
    options: Options
    effort: Effort
    choice: Choice
    pace: Pace
    keep: Keep = _keep_nothing
