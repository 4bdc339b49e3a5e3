"""The verdict on one benchmark: faster, slower, equivalent, inconclusive or not comparable, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ms5ops.benchmark.records import ASKED_OF, ASKED_OF_BEFORE, Group, Kind, Outcome, Result, Unit
from ms5ops.benchmark.sampling import figures
from ms5ops.benchmark.statistics import Basis, Estimate, RatioTest, Values, compare_samples, holm
from ms5ops.benchmark.surroundings import VOLUME_MATTERS
from ms5ops.benchmark.unrest import UNSEEN, Unseen
from ms5ops.errors import BenchmarkError
from ms5ops.units import count_text, percent_text

Verdict = Literal["slower", "not comparable", "inconclusive", "equivalent", "faster"]
"""From the worst to the best."""
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

MIN_SAMPLES = 5
"""Fewer samples a run decide nothing: the smallest two-sided p of four against four is 0.03 before any correction."""

BASIS_WORDS: Mapping[Basis, str] = {
    "samples": "Intervals cover the scatter within one run a side and the server's unrest during them, not what "
    "another run on another day would give: two runs or more on either side tell that.",
    "pairs of runs": "Every pair of runs was compared, and only what holds for each of them counts.",
    "runs": "Intervals cover the scatter between runs too: each run counts once, by its median.",
}

_EXPLAINS: Mapping[Basis, str] = {
    "samples": "the scatter within the runs does not explain it",
    "pairs of runs": "the scatter within the runs explains it in no pair of them",
    "runs": "the scatter between runs does not explain it",
}
_UNSEEN_WORDS: Mapping[Unseen, str] = {
    "quick": f" A quick run is over too soon to show how restless the server is, so each is taken to be off by"
    f" {percent_text(UNSEEN)} as a whole: take full runs, or several on either side (`benchmark run --repeat 3`).",
    "short": f" A run of so few samples does not show how restless the server is, so each is taken to be off by"
    f" {percent_text(UNSEEN)} as a whole: take the whole suite, or several runs on either side"
    " (`benchmark run --repeat 3`).",
    "own turn": " It is measured in one stretch of a run, which shows no unrest, so each run is taken to be off by"
    f" {percent_text(UNSEEN)} as a whole: take several on either side (`benchmark run --repeat 3`).",
}
_BROKEN: frozenset[Outcome] = frozenset({"failed", "timed out", "empty", "different answer"})
_OUTCOME_WORDS: Mapping[Outcome, str] = {
    "ok": "it gave samples",
    "failed": "it failed",
    "timed out": "it hit its time limit",
    "empty": "it returned no rows",
    "different answer": "it gave another answer than its twin",
    "stopped": "the run was stopped before it was done",
    "not there": "what it reads was not there",
}


@dataclass(frozen=True)
class Options:
    """What a verdict asks for.

    ``confidence`` of every interval, each by itself; a test is significant at 1 - confidence after correction.
    ``margin``: an interval wholly within 1 / (1 + margin) to 1 + margin is equivalent (two one-sided tests, each at
    half of 1 - confidence; Schuirmann 1987). ``smallest``: a change is only called faster or slower when the ratio is
    at least this far from 1, in either direction (0.05: a factor of 1.05). The defaults of 5 % are an own choice: what
    nobody in front of a page notices.

    Raises BenchmarkError where a value makes no sense.
    """

    confidence: float = 0.95
    margin: float = 0.05
    smallest: float = 0.05

    def __post_init__(self) -> None:
        if not (0.5 <= self.confidence < 1 and 0 < self.margin < 1 and 0 <= self.smallest < 1):
            raise BenchmarkError(
                f"Two sides cannot be compared with a confidence of {self.confidence:g}, a margin of {self.margin:g} "
                f"and a smallest difference of {self.smallest:g}.",
                "Give a confidence from 0.5 to below 1, a margin above 0 and below 1, and a smallest difference from "
                "0 to below 1 (0.05 is 5 %).",
            )


@dataclass(frozen=True)
class Held:
    """What one run holds of a benchmark: its result, its samples in the result's unit (none of a summary), and the
    unrest of the whole run (``unrest.unrest``): ``UNSEEN`` where that cannot be seen, for the reason ``unseen``."""

    result: Result
    values: Values
    unrest: float = 0.0
    unseen: Unseen | None = None


@dataclass(frozen=True)
class Figures:
    """One side of a benchmark, in its unit, over all samples of all its runs; ``runs`` counts those that gave some.

    As a ``Result``'s: of a throughput, p95 and p99 are what 95 and 99 % of the samples reach at least. Of summaries the
    figures are the mean over the runs' own ones. None where no run tells it.
    """

    runs: int
    samples: int
    mean: float | None
    median: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True)
class BenchmarkComparison:
    """One benchmark on both sides.

    ``ratio`` is after / before in the unit; ``speedup`` the same as how many times faster (above 1: better, whichever
    way the unit points); both None where not comparable, without ends where there are no samples. ``p`` is None where
    nothing was tested, ``p_corrected`` is Holm's over all tested benchmarks. ``p_samples``: Mann-Whitney on all
    samples. ``is_broken``: it gave an answer before and gives none after. ``is_summary``: a side has no samples.
    """

    benchmark: str
    kind: Kind
    group: Group | None
    about: str
    unit: Unit
    higher_is_better: bool
    target_p95: float | None
    verdict: Verdict
    reason: str
    before: Figures | None
    after: Figures | None
    ratio: Estimate | None
    speedup: Estimate | None
    p: float | None
    p_corrected: float | None
    p_samples: float | None
    basis: Basis | None
    is_broken: bool
    is_summary: bool

    @property
    def is_regression(self) -> bool:
        """Whether it got worse: slower, or broken."""
        return self.verdict == "slower" or self.is_broken

    @property
    def meets_target(self) -> bool | None:
        """Whether the side after keeps the promise, None where there is none or it was not measured.

        Times are held to their p95; a throughput's promise is a least one, to which its median is held.
        """
        if self.target_p95 is None or self.after is None:
            return None
        if self.higher_is_better:
            return None if self.after.median is None else self.after.median >= self.target_p95
        return None if self.after.p95 is None else self.after.p95 <= self.target_p95


@dataclass(frozen=True)
class _Judged:
    """What is known before the correction for several tests: a verdict with its reason already, or a test to be judged
    and what else there is to say."""

    before: Figures | None = None
    after: Figures | None = None
    ratio: Estimate | None = None
    test: RatioTest | None = None
    verdict: Verdict | None = None
    reason: str = ""
    is_broken: bool = False
    is_summary: bool = False


def judge(
    before: Mapping[str, Sequence[Held]], after: Mapping[str, Sequence[Held]], options: Options
) -> tuple[BenchmarkComparison, ...]:
    """A verdict on every benchmark that a side holds, by name in the order of the side before, then after."""
    names = [*dict.fromkeys([*before, *after])]
    judged = [_judge_one(before.get(name, ()), after.get(name, ()), options) for name in names]
    corrected = iter(holm([one.test.p for one in judged if one.test]))
    return tuple(
        _verdict(
            name, (after.get(name) or before[name])[-1].result, one, next(corrected) if one.test else None, options
        )
        for name, one in zip(names, judged, strict=True)
    )


def usable(side: Sequence[Held]) -> list[Held]:
    """The runs of a side whose samples decide: those that answered, with samples enough."""
    return [held for held in side if held.result.outcome == "ok" and len(held.values) >= MIN_SAMPLES]


def unrest_of(before: Sequence[Held], after: Sequence[Held]) -> tuple[list[float], list[float]]:
    """The unrest of each run, as ``compare_samples`` takes it."""
    return [held.unrest for held in before], [held.unrest for held in after]


def unseen_text(basis: Basis, runs: Sequence[Held]) -> str:
    """A sentence on runs (of both sides) whose unrest cannot be seen; empty where it can, or where runs enough tell."""
    found = [held.unseen for held in runs if held.unseen is not None]
    return _UNSEEN_WORDS[found[0]] if found and basis != "runs" else ""


def _judge_one(before: Sequence[Held], after: Sequence[Held], options: Options) -> _Judged:
    refusal = _refusal(before, after)
    sides = _figures(before), _figures(after)
    if refusal:
        is_broken = bool(_answers(before)) and not _answers(after) and any(_is_broken(held) for held in after)
        return _Judged(*sides, verdict="not comparable", reason=refusal, is_broken=is_broken)
    if not (_sampled(before) and _sampled(after)):
        ratio = _plain_ratio(*sides)
        if ratio is None:
            return _Judged(*sides, verdict="not comparable", reason="A summary tells neither median nor mean above 0.")
        reason = "A side is a summary without samples, so there is a ratio, but no interval and no test."
        return _Judged(*sides, ratio=ratio, verdict="inconclusive", reason=reason, is_summary=True)
    if any(len(held.values) and held.values.min() <= 0 for held in (*_sampled(before), *_sampled(after))):
        return _Judged(*sides, verdict="not comparable", reason="There are values of 0 or below, which have no ratio.")
    old, new = usable(before), usable(after)
    if not (old and new):
        counts = " and ".join(str(side.samples if side else 0) for side in sides)
        reason = f"Too few samples to tell: {counts}, and a run needs at least {MIN_SAMPLES}."
        return _Judged(*sides, ratio=_plain_ratio(*sides), verdict="inconclusive", reason=reason)
    test = compare_samples(
        [held.values for held in old], [held.values for held in new], options.confidence, unrest_of(old, new)
    )
    besides = unseen_text(test.basis, [*old, *new])
    besides += _unanswered(before, "before") + _unanswered(after, "after") + _asked_otherwise(old, new)
    return _Judged(_figures(old), _figures(new), test.ratio, test, reason=besides)


def _verdict(
    name: str, result: Result, judged: _Judged, p_corrected: float | None, options: Options
) -> BenchmarkComparison:
    ratio, test = judged.ratio, judged.test
    speedup = ratio if ratio is None or result.higher_is_better else ratio.inverse()
    verdict, reason = judged.verdict, judged.reason
    if test and speedup is not None and p_corrected is not None:
        verdict, reason = decide(speedup, p_corrected, test.basis, options)
        reason += judged.reason
    return BenchmarkComparison(
        benchmark=name,
        kind=result.kind,
        group=result.group,
        about=result.about,
        unit=result.unit,
        higher_is_better=result.higher_is_better,
        target_p95=result.target_p95,
        verdict=verdict or "inconclusive",
        reason=reason,
        before=judged.before,
        after=judged.after,
        ratio=ratio,
        speedup=speedup,
        p=test.p if test else None,
        p_corrected=p_corrected,
        p_samples=test.p_samples if test else None,
        basis=test.basis if test else None,
        is_broken=judged.is_broken,
        is_summary=judged.is_summary,
    )


def decide(speedup: Estimate, p: float, basis: Basis, options: Options) -> tuple[Verdict, str]:
    """The verdict on a speedup (above 1: better) with the p-value that counts, and one sentence of reason."""
    margin, smallest = _percent(options.margin), _percent(options.smallest)
    if speedup.is_within(options.margin):
        return "equivalent", f"The whole interval lies within {margin} of no change."
    if p > 1 - options.confidence:
        if speedup.is_beyond_one:
            return "inconclusive", f"Alone it would be a change; among so many tests it can be chance ({p_text(p)})."
        return "inconclusive", f"The measurements allow for better as well as worse ({p_text(p)})."
    if 1 / (1 + options.smallest) < speedup.value < 1 + options.smallest:
        return "inconclusive", f"There is a change ({p_text(p)}), but of less than the {smallest} that matter."
    verdict: Verdict = "faster" if speedup.value > 1 else "slower"
    return verdict, f"The change is larger than {smallest}, and {_EXPLAINS[basis]} ({p_text(p)})."


def p_text(p: float) -> str:
    """A p-value with two figures that matter: ``p = 0.032``, ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def _refusal(before: Sequence[Held], after: Sequence[Held]) -> str | None:
    """Why the sides cannot be compared, in a sentence; None where they can."""
    for side, name in ((before, "before"), (after, "after")):
        if not side:
            return f"It was not part of the runs {name}."
        if not _answers(side):
            result = side[-1].result
            told = f": {result.message.rstrip('.')}" if result.message else ""
            return f"{name.capitalize()}, {_OUTCOME_WORDS[result.outcome]}{told}."
    results = [held.result for held in (*_answers(before), *_answers(after))]
    if len({(result.unit, result.higher_is_better, result.kind) for result in results}) > 1:
        return "The sides measured different things under this name, in different units or ways."
    # A summary does not tell its question; the name has to do, and no verdict rests on it.
    if len({result.text_hash for result in results if result.samples}) > 1:
        return "The question itself differs: the query's text was changed."
    return None


def _unanswered(side: Sequence[Held], name: str) -> str:
    """A sentence on the runs of a side that gave no answer while others did; empty where all did."""
    broken = [held for held in side if _is_broken(held)]
    if not broken:
        return ""
    return f" In {len(broken)} of {len(side)} runs {name}, {_OUTCOME_WORDS[broken[-1].result.outcome]}."


def _asked_otherwise(before: Sequence[Held], after: Sequence[Held]) -> str:
    """Sentences on what makes the same question another one: its subject, or how much there is to answer."""
    told = ""
    asked = [[_asked_of(held.result) for held in side] for side in (before, after)]
    every = dict.fromkeys(subject for side in asked for one in side for subject in one)
    for subject in every:
        old, new = (sorted({one[subject] for one in side if subject in one}) for side in asked)
        if old and new and old != new:
            told += f" It was asked about another {subject}: {', '.join(old)} before, {', '.join(new)} after."
    rows = [[held.result.rows for held in side if held.result.rows is not None] for side in (before, after)]
    if all(rows):
        fewer, more = sorted(counts := [float(np.median(side)) for side in rows])
        if more - fewer >= VOLUME_MATTERS * more:
            told += f" The answer had {count_text(counts[0])} rows before and {count_text(counts[1])} after."
    return told


def _asked_of(result: Result) -> dict[str, str]:
    """What a question was asked of, in words by parameter."""
    before = {name: result.details[name] for name in ASKED_OF_BEFORE if name in result.details}
    return {str(name): str(words) for name, words in {**before, **result.details.get(ASKED_OF, {})}.items()}


def _is_broken(held: Held) -> bool:
    return held.result.outcome in _BROKEN


def _answers(side: Sequence[Held]) -> list[Held]:
    return [held for held in side if held.result.outcome == "ok"]


def _sampled(side: Sequence[Held]) -> list[Held]:
    return [held for held in _answers(side) if len(held.values)]


def _figures(side: Sequence[Held]) -> Figures | None:
    sampled = _sampled(side)
    if sampled:
        values = np.concatenate([held.values for held in sampled])
        found = figures(values, higher_is_better=sampled[0].result.higher_is_better)
        return Figures(len(sampled), found.samples, found.mean, found.median, found.p95, found.p99)
    results = [held.result for held in _answers(side)]
    if not results:
        return None
    return Figures(
        len(results), 0,
        _mean([one.mean for one in results]), _mean([one.median for one in results]),
        _mean([one.p95 for one in results]), _mean([one.p99 for one in results]),
    )  # fmt: skip


def _mean(values: Sequence[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return sum(told) / len(told) if told else None


def _plain_ratio(before: Figures | None, after: Figures | None) -> Estimate | None:
    """The ratio of the medians, or else of the means."""
    if before is None or after is None:
        return None
    for old, new in ((before.median, after.median), (before.mean, after.mean)):
        if old and new and old > 0 and new > 0:
            return Estimate(new / old)
    return None


def _percent(share: float) -> str:
    return f"{share * 100:g} %"
