"""All criteria in their order, each from what the environment has itself, or else from what was replayed."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from ms5ops.scorecard import before_after, questions, rollout_answers, speed_answers, storage_answers
from ms5ops.scorecard.material import Material
from ms5ops.scorecard.records import Answer, Criterion, Question, Scorecard

CRITERIA: tuple[tuple[Question, Callable[[Material], Answer]], ...] = (
    (questions.STEPS, rollout_answers.steps),
    (questions.CHECKS, rollout_answers.checks),
    (questions.TARGETS, speed_answers.targets),
    (questions.FAILURES, before_after.failures),
    (questions.DASHBOARDS_DOWN, before_after.dashboards_down),
    (questions.GROWTH_DOWN, storage_answers.growth_down),
    (questions.DEGRADATION, before_after.degradation),
    (questions.ALERTS, rollout_answers.alerts),
    (questions.DASHBOARDS, speed_answers.dashboards),
    (questions.REPORTS, speed_answers.reports),
    (questions.COST, storage_answers.cost),
    (questions.DOUBLE_VOLUME, speed_answers.double_volume),
)
"""In the spec's order."""


def scorecard(materials: Sequence[Material]) -> Scorecard:
    """The scorecard of one environment; ``materials``: at least one, the environment's own origin first.

    Each criterion is answered from the first origin that has a measured value for it, and from that one alone.
    """
    own = materials[0]
    return Scorecard(
        environment=own.environment,
        origin=own.origin,
        now=own.now,
        criteria=tuple(Criterion(question, _answer(answer, materials)) for question, answer in CRITERIA),
    )


def _answer(answer: Callable[[Material], Answer], materials: Sequence[Material]) -> Answer:
    first: Answer | None = None
    for material in materials:
        given = answer(material)
        if given.status != "not measured yet":
            return _with_trend(given, answer, materials)
        # What was measured in part says more than nothing.
        if first is None or (first.value is None and given.value is not None):
            first = given
    assert first is not None  # noqa: S101  # there is at least one material
    return _with_trend(first, answer, materials)


def _with_trend(given: Answer, answer: Callable[[Material], Answer], materials: Sequence[Material]) -> Answer:
    """Where the answer has no second month to compare with, the trend of another origin, which says whose it is."""
    if given.trend is not None and len(given.trend.points) > 1:
        return given
    for material in materials:
        if material.origin != given.origin and (other := answer(material).trend) and len(other.points) > 1:
            return replace(given, trend=replace(other, origin=material.origin))
    return given
