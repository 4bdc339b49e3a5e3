"""A comparison in words and frames: the headline, the verdict table, the promises, the circumstances."""

import math
from collections import Counter
from collections.abc import Mapping

import pandas as pd

from ms5ops.benchmark.compare import Comparison, Total
from ms5ops.benchmark.expected import BYTES_PER_GB, Fulfilment, Span
from ms5ops.benchmark.run_summary import GROUP_TITLES, benchmark_title, value_text
from ms5ops.benchmark.statistics import Estimate
from ms5ops.benchmark.surroundings import Weight
from ms5ops.benchmark.verdicts import BenchmarkComparison, Figures
from ms5ops.benchmark.verdicts import Verdict as BenchmarkVerdict
from ms5ops.observe.finding import counted
from ms5ops.observe.verdict import Verdict
from ms5ops.units import MISSING, bytes_text, milliseconds_text, percent_text

LISTED: tuple[BenchmarkVerdict, ...] = ("faster", "slower", "equivalent", "inconclusive", "not comparable")
"""Verdicts in the order in which a headline counts them."""

WEIGHTS: Mapping[Weight, str] = {
    "spoils": "Spoils the comparison",
    "another cause": "Another possible cause",
    "expected": "Expected of a deployment",
    "noted": "Noted",
}
"""What the weight of a difference is called."""

SAME = 0.005
"""Own choice: a factor nearer to 1 than this is written as no change."""


def factor_text(factor: float) -> str:
    """A factor from 1 up with the figures that matter: ``1.08x``, ``2.3x``, ``24x``, ``1,300x``."""
    digits = 2 if factor < 1.995 else 1 if factor < 9.95 else 0
    return f"{factor:,.{digits}f}x"


def speed_text(speedup: float | None) -> str:
    """A speedup in words: ``2.3x faster``, ``1.20x slower``, ``the same``; an end without bound is ``any times``."""
    if speedup is None:
        return MISSING
    if speedup <= 0 or math.isinf(speedup):
        return "any times slower" if speedup <= 0 else "any times faster"
    if abs(speedup - 1) < SAME:
        return "the same"
    return f"{factor_text(speedup)} faster" if speedup > 1 else f"{factor_text(1 / speedup)} slower"


def interval_text(speedup: Estimate | None) -> str:
    """The interval of a speedup in words: ``1.90x to 2.8x faster``, ``1.10x slower to 1.20x faster``."""
    if speedup is None or speedup.low is None or speedup.high is None:
        return MISSING
    low, high = speed_text(speedup.low), speed_text(speedup.high)
    if speedup.low > 1 + SAME:
        return f"{factor_text(speedup.low)} to {high}"
    if 0 < speedup.high < 1 - SAME:
        return f"{factor_text(1 / speedup.high)} to {low}"
    return f"{low} to {high}"


def card_texts(total: Total) -> tuple[str, str]:
    """A group's speedup so that it fits a card: the factor, and below it what it means."""
    if total.speedup is None:
        return MISSING, total.verdict
    value = total.speedup.value
    if value <= 0 or abs(value - 1) < SAME:
        return "1x", total.verdict
    direction = "faster" if value > 1 else "slower"
    doubts = {"equivalent": ": negligible", "inconclusive": ": not sure"}
    doubt = " together" if total.only_together else doubts.get(total.verdict, "")
    return factor_text(max(value, 1 / value)), f"{direction}{doubt}"


def headline(comparison: Comparison) -> Verdict:
    """The whole in a sentence or two: how much faster, how sure, what got slower, and what spoils it."""
    suite, verdicts = comparison.suite, Counter(one.verdict for one in comparison.benchmarks)
    regressions = comparison.regressions
    if comparison.is_other_suite:
        text = "Nothing could be compared: the two sides were asked different questions, and have none in common."
    elif suite.speedup is None:
        text = (
            "How sure a difference is cannot be told: a side is a summary without samples. The ratios stand below."
            if any(one.is_summary for one in comparison.benchmarks)
            else "Nothing could be compared: the two sides hold no benchmark in common that was measured on both."
        )
    else:
        over = counted(len(suite.benchmarks), "query", "queries")
        sureness = _sureness(suite.speedup, comparison.options.confidence)
        text = f"{_suite_text(suite, suite.speedup)} over {over}{sureness}"
        text += ": " + ", ".join(f"{verdicts[one]} {one}" for one in LISTED if verdicts[one]) + "."
    if suite.verdict == "inconclusive" and any(
        run.header.is_quick for run in (*comparison.before.runs, *comparison.after.runs)
    ):
        text += " Quick runs are a look, no proof: take full ones, or several."
    if regressions:
        more = f" and {len(regressions) - 3} more" if len(regressions) > 3 else ""
        named = ", ".join(benchmark_title(one.benchmark) for one in regressions[:3])
        text += f" Worse: {named}{more}."
    if comparison.is_spoilt:
        spoiling = [one.subject for one in comparison.differences if one.weight == "spoils"]
        text += f" The sides differ in what they measured ({', '.join(spoiling)}), so this says little about a change."
    if regressions or comparison.is_spoilt:
        return Verdict("warning", text)
    return Verdict("ok" if suite.verdict in ("faster", "equivalent") else "info", text)


def _suite_text(suite: Total, speedup: Estimate) -> str:
    if suite.verdict == "inconclusive":
        return f"No clear difference ({speed_text(speedup.value)})"
    if suite.verdict == "equivalent":
        return "As fast as before"
    text = speed_text(speedup.value)
    return text[:1].upper() + text[1:]


def _sureness(speedup: Estimate, confidence: float) -> str:
    text = interval_text(speedup)
    return f" ({percent_text(confidence)} interval {text})" if text != MISSING else ""


def verdict_frame(comparison: Comparison) -> pd.DataFrame:
    """One row per benchmark: texts for people, and in columns ``*_value``, ``low``, ``high`` and ``p`` the numbers."""
    return pd.DataFrame([_verdict_row(one) for one in listed(comparison)])


def listed(comparison: Comparison) -> list[BenchmarkComparison]:
    """The benchmarks by group, and within a group in the comparison's order."""
    order = {group: place for place, group in enumerate(GROUP_TITLES)}
    return sorted(comparison.benchmarks, key=lambda one: order[one.group or one.kind])


def _verdict_row(one: BenchmarkComparison) -> dict[str, object]:
    return {
        "title": benchmark_title(one.benchmark),
        "group": GROUP_TITLES[one.group or one.kind],
        "verdict": "Broken" if one.is_broken else one.verdict.capitalize(),
        "change": speed_text(one.speedup.value) if one.speedup else MISSING,
        "interval": interval_text(one.speedup),
        "before": _figure(one.before, one, "median"),
        "after": _figure(one.after, one, "median"),
        "before_p95": _figure(one.before, one, "p95"),
        "after_p95": _figure(one.after, one, "p95"),
        "n": f"{one.before.samples if one.before else 0} / {one.after.samples if one.after else 0}",
        "p": one.p_corrected,
        "reason": one.reason,
        "benchmark": one.benchmark,
        "unit": one.unit,
        "before_value": one.before.median if one.before else None,
        "after_value": one.after.median if one.after else None,
        "speedup_value": one.speedup.value if one.speedup else None,
        "low": one.speedup.low if one.speedup else None,
        "high": one.speedup.high if one.speedup else None,
    }


def _figure(figures: Figures | None, one: BenchmarkComparison, name: str) -> str:
    return MISSING if figures is None else value_text(getattr(figures, name), one.unit)


def promise_frame(comparison: Comparison) -> pd.DataFrame:
    """Phase 4's table of expected results beside what was measured: one row per promise, all as text."""
    return pd.DataFrame([_promise_row(one) for one in comparison.promises])


def _promise_row(one: Fulfilment) -> dict[str, str]:
    promise = one.promise
    factor = promise.factor
    return {
        "title": promise.title,
        "expected": f"{_span(promise.before, promise.unit)} → {_span(promise.after, promise.unit)}"
        if promise.before
        else _span(promise.after, promise.unit),
        "expected_factor": MISSING if factor is None else f"{_factor_span(factor)}",
        "before": promise_value(one.before, promise.unit),
        "after": promise_value(one.after, promise.unit),
        "factor": factor_text(one.factor.value) if one.factor and one.factor.value >= 1 else _worse(one.factor),
        "met": one.met.capitalize(),
        "reason": one.reason,
    }


def promise_value(value: float | None, unit: str) -> str:
    """A promised or measured value in the promise's unit."""
    if value is None:
        return MISSING
    if unit == "ms":
        return milliseconds_text(value)
    return percent_text(value) if unit == "share saved" else f"{bytes_text(value * BYTES_PER_GB)} a month"


def _span(span: Span | None, unit: str) -> str:
    if span is None:
        return MISSING
    if unit == "GB per month":
        return f"{span.low:g} GB a month" if span.low == span.high else f"{span.low:g} to {span.high:g} GB a month"
    if span.low == span.high:
        return promise_value(span.low, unit)
    if unit == "ms" and span.low < 1000:
        return (
            f"{span.low:g} to {span.high:g} ms"
            if span.high < 1000
            else f"{span.low / 1000:g} to {span.high / 1000:g} s"
        )
    if unit == "ms":
        return f"{span.low / 1000:g} to {span.high / 1000:g} s"
    return f"{percent_text(span.low)} to {percent_text(span.high)}"


def _factor_span(span: Span) -> str:
    return f"{span.low:g}x" if span.low == span.high else f"{span.low:g} to {span.high:g}x"


def _worse(factor: Estimate | None) -> str:
    return MISSING if factor is None else f"{factor_text(1 / factor.value)} worse"
