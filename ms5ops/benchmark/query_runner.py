"""Questions and pages: prepared, warmed up, sampled in turns, explained."""

import random
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from ms5ops.benchmark import sampling, twins
from ms5ops.benchmark.anchor import Choice
from ms5ops.benchmark.dashboards import CONNECTIONS, PageClient
from ms5ops.benchmark.explain import plan_facts
from ms5ops.benchmark.options import Gathered, Work
from ms5ops.benchmark.records import ASKED_OF, Group, Kind, Outcome, Result
from ms5ops.benchmark.sampling import Sample
from ms5ops.benchmark.suite import Page, Question, Suite, bound, variant_name
from ms5ops.database import Answer, TimedSession
from ms5ops.errors import FeatureMissing, ReadTimeout, ServerError, ServerUnreachable
from ms5ops.queries import Query


@dataclass(frozen=True)
class Taken:
    """One execution: its sample, how many rows came, and the rows themselves where they are one answer."""

    sample: Sample
    rows: int
    answer: Answer | None = None


class Subject(Protocol):
    """Something that can be timed again and again."""

    name: str
    kind: Kind
    group: Group
    about: str
    text_hash: str
    target_p95_ms: float
    twin: str | None
    missing: tuple[str, ...]
    why_not: str | None

    def take(self) -> Taken:
        """Run it once."""

    def details(self, samples: Sequence[Sample]) -> dict[str, Any]:
        """What there is to tell besides the samples."""


class TimedQuestion:
    """A question in the variant for this database."""

    kind: Kind = "query"

    def __init__(self, question: Question, session: TimedSession, schema: str, choice: Choice, there: Collection[str]):
        self.question, self._session, self._choice = question, session, choice
        self.name, self.group, self.about = question.name, question.group, question.about
        self.text_hash, self.target_p95_ms, self.twin = question.text_hash, question.target_p95_ms, question.twin
        self.missing = question.missing(there)
        self.variant = question.variant(there)
        self.why_not = choice.why_not(self.variant) if self.variant else None
        if self.variant is not None and self.why_not is None:
            sql, values = bound(self.variant, schema, choice.parameters)
            self.statement = session.statement(sql, values)

    def take(self) -> Taken:
        """Run it once over the held connection; ServerError where its columns are not those of its header."""
        at = datetime.now(UTC)
        answer = self._session.time(self.statement)
        assert self.variant is not None  # noqa: S101  # or it is missing
        if answer.columns != tuple(self.variant.columns):
            told = (
                f"Its columns are {', '.join(answer.columns)}, and its header names {', '.join(self.variant.columns)}."
            )
            raise ServerError(told, f"Correct the header of {self.variant.file}.")
        whole = answer.execute_ms + answer.fetch_ms
        return Taken(Sample(at, whole, answer.execute_ms, answer.fetch_ms), len(answer.rows), answer)

    def details(self, samples: Sequence[Sample]) -> dict[str, Any]:
        """Medians of the two times, the text sent, and what EXPLAIN tells of one more execution."""
        assert self.variant is not None  # noqa: S101  # only what could be asked has samples
        found: dict[str, Any] = {
            "variant": variant_name(self.variant),
            "stands_for": self.question.stands_for,
            "text": self.statement.decode("utf-8"),
            "execute_median_ms": statistics.median(one.execute_ms or 0.0 for one in samples),
            "fetch_median_ms": statistics.median(one.fetch_ms or 0.0 for one in samples),
            "clients": 1,
            **_asked_of(self._choice, self.variant),
        }
        try:
            return {**found, **plan_facts(self._session.explain(self.statement)).details()}
        except ServerError as error:  # the samples stand without it
            return {**found, "explain_error": error.happened}


class TimedPage:
    """A page, loaded as a browser does."""

    kind: Kind = "dashboard"
    group: Group = "dashboard"
    twin: str | None = None

    def __init__(self, page: Page, client: PageClient, schema: str, choice: Choice, there: Collection[str]) -> None:
        self.page, self._client, self._choice = page, client, choice
        self.name, self.about, self.text_hash = page.name, page.about, page.text_hash
        self.target_p95_ms = page.target_p95_ms
        self.missing = tuple(sorted({name for panel in page.panels for name in panel.missing(there)}))
        self.variants = {panel.name: variant for panel in page.panels if (variant := panel.variant(there))}
        self.why_not = choice.why_not(*self.variants.values())
        self.panels = {
            name: client.sessions[0].statement(*bound(variant, schema, choice.parameters))
            for name, variant in self.variants.items()
            if self.why_not is None
        }
        self._panels_ms: dict[str, list[float]] = {name: [] for name in self.panels}
        self._rows: Mapping[str, int] = {}

    def take(self) -> Taken:
        """Load it once."""
        at = datetime.now(UTC)
        load = self._client.load(self.panels)
        for name, took_ms in load.panels_ms.items():
            self._panels_ms[name].append(took_ms)
        self._rows = load.rows
        return Taken(Sample(at, load.took_ms), sum(load.rows.values()))

    def details(self, samples: Sequence[Sample]) -> dict[str, Any]:
        """The panels: variant, text, rows and median time of each."""
        return {
            "stands_for": self.page.stands_for,
            "clients": min(CONNECTIONS, len(self.panels)),
            **_asked_of(self._choice, *self.variants.values()),
            "panels": {
                name: {
                    "variant": variant_name(self.variants[name]),
                    "rows": self._rows.get(name),
                    "median_ms": statistics.median(self._panels_ms[name][-len(samples) :]),
                    "text": self.panels[name].decode("utf-8"),
                }
                for name in self.panels
            },
        }


@dataclass
class _State:
    """What is known of a subject so far; its outcome is None while nothing has gone wrong."""

    subject: Subject
    outcome: Outcome | None = None
    message: str | None = None
    rows: int | None = None
    once_ms: float = 0.0
    answer: Answer | None = None
    samples: list[Sample] = field(default_factory=list)
    planned: int = 0


class QueryRun:
    """One pass over questions and pages. ``stop`` of the pace ends it between two samples."""

    def __init__(
        self, work: Work, suite: Suite, session: TimedSession, client: PageClient, there: Collection[str]
    ) -> None:
        self._suite, self._effort, self._seed, self._pace = suite, work.effort, work.options.seed, work.pace
        self._keep = work.keep
        schema, choice = work.site.read.schema, work.choice
        subjects: list[Subject] = [TimedQuestion(one, session, schema, choice, there) for one in suite.questions]
        subjects += [TimedPage(one, client, schema, choice, there) for one in suite.pages]
        self._states = {one.name: _State(one) for one in subjects}
        for state in self._states.values():
            if state.subject.missing:
                state.outcome, state.message = "not there", _missing_text(state.subject.missing, suite)
            elif state.subject.why_not is not None:
                state.outcome, state.message = "not there", state.subject.why_not

    def run(self, gathered: Gathered) -> None:
        """Measure, and add all results, with the samples of those that have some."""
        self._pace.begin("warming up")
        self._warm_up()
        self._check_twins()
        timed = {name: state for name, state in self._states.items() if state.outcome is None}
        for state in timed.values():
            state.planned = sampling.sample_count(state.once_ms, self._effort)
        self._pace.begin("sampling", sum(state.planned * state.once_ms / 1000 for state in timed.values()))
        for name in sampling.schedule({name: state.planned for name, state in timed.items()}, self._seed):
            if self._pace.stop():
                break
            state = timed[name]
            if state.outcome is None:
                self._pace.say(name)
                taken = self._take(state)
                if taken is not None:
                    state.samples.append(taken.sample)
                self._keep(lambda: self._so_far(gathered))
        self._pace.begin("explaining")
        for state in self._states.values():
            gathered.add(self._result(state), state.samples)

    def _so_far(self, gathered: Gathered) -> Gathered:
        """All results with those of the questions as they stand, not looked at more closely."""
        found = Gathered(list(gathered.results), dict(gathered.samples))
        for state in self._states.values():
            found.add(self._result(state, closely=False), state.samples)
        return found

    def _warm_up(self) -> None:
        names = sorted(self._states)
        random.Random(f"{self._seed}/warm-up").shuffle(names)
        for name in names:
            state = self._states[name]
            for number in range(1 + self._effort.warmups):
                if state.outcome is not None or self._pace.stop():
                    break
                if number and state.once_ms * self._effort.least > self._effort.hard_budget_s * 1000:
                    break  # so slow that the first has to do
                self._pace.say(name)
                taken = self._take(state)
                if taken is None:
                    break
                state.once_ms, state.rows, state.answer = taken.sample.value, taken.rows, taken.answer
                if not taken.rows:
                    state.outcome, state.message = "empty", "The answer has no rows in the span that is asked for."

    def _take(self, state: _State) -> Taken | None:
        """Run a subject once; where that fails, its state says how."""
        try:
            return state.subject.take()
        except ReadTimeout:
            if not self._pace.stop():  # else its statement was cancelled because of that
                limit_s = self._effort.statement_timeout_ms / 1000
                state.outcome, state.message = "timed out", f"No answer within {limit_s:.0f} s, or a lock held it up."
        except ServerUnreachable:
            raise
        except FeatureMissing as error:
            state.outcome, state.message = "not there", error.happened
        except ServerError as error:
            state.outcome, state.message = "failed", error.happened
        return None

    def _check_twins(self) -> None:
        for question in self._suite.questions:
            if question.twin is None or question.group != "aggregate" or question.twin not in self._states:
                continue
            aggregate, raw = self._states[question.name], self._states[question.twin]
            if aggregate.answer is None or raw.answer is None or aggregate.outcome or raw.outcome:
                continue
            found = self._compared(raw, aggregate, question)
            if found.difference is not None and (again := self._taken_again(raw, aggregate)):
                raw, aggregate = again  # rows may have come in between the two
                found = self._compared(raw, aggregate, question)
            if found.difference is not None:
                for name in (question.name, question.twin):
                    self._states[name].outcome = "different answer"
                    self._states[name].message = found.difference

    def _compared(self, raw: _State, aggregate: _State, question: Question) -> twins.Comparison:
        assert raw.answer is not None  # noqa: S101
        assert aggregate.answer is not None  # noqa: S101
        return twins.compare(raw.answer.rows, aggregate.answer.rows, question.variants[0].columns)

    def _taken_again(self, raw: _State, aggregate: _State) -> tuple[_State, _State] | None:
        one, other = self._take(raw), self._take(aggregate)
        if one is None or other is None:
            return None
        return replace(raw, answer=one.answer), replace(aggregate, answer=other.answer)

    def _result(self, state: _State, *, closely: bool = True) -> Result:
        subject, samples = state.subject, state.samples
        outcome: Outcome = state.outcome or ("ok" if samples else "stopped")
        message = state.message or (None if samples else "The run was stopped before it was measured.")
        found = sampling.figures([one.value for one in samples]) if outcome == "ok" else sampling.NOTHING
        details: dict[str, Any] = {"warmups": self._effort.warmups, "planned": state.planned}
        if samples and closely and not self._pace.stop():
            self._pace.say(subject.name)
            details |= subject.details(samples)
        return Result(
            benchmark=subject.name,
            kind=subject.kind,
            group=subject.group,
            about=subject.about,
            outcome=outcome,
            message=message,
            unit="ms",
            higher_is_better=False,
            rows=state.rows,
            text_hash=subject.text_hash,
            target_p95=subject.target_p95_ms,
            twin=subject.twin,
            **{**found.values(), "samples": len(samples)},
            details=details,
        )


def _asked_of(choice: Choice, *variants: Query) -> dict[str, Any]:
    found = choice.asked_of(*variants)
    return {ASKED_OF: found} if found else {}


def _missing_text(missing: Sequence[str], suite: Suite) -> str:
    what, pronoun = " and ".join(missing), "it" if len(missing) == 1 else "them"
    why = f"Phase 4 makes {pronoun}" if suite.folder is None else f"the header says that it needs {pronoun}"
    return f"The database has no {what} (yet): {why}."
