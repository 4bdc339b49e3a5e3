"""How the circumstances of two sides differ, in words, before any verdict."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from statistics import median
from typing import Literal, NamedTuple, get_args

from ms5ops.benchmark.records import RunHeader, Surroundings
from ms5ops.environments import source_text
from ms5ops.units import bytes_text, change_text, count_text, duration_text, percent_text

Weight = Literal["spoils", "another cause", "expected", "noted"]
"""``spoils``: the sides measured different things. ``another cause``: a difference in speed may come from this as well
as from what was deployed. ``expected``: a deployment changes it. ``noted``: it explains nothing, but is told."""
Topic = Literal["database", "run", "hardware", "version", "settings", "deployment", "volume"]
"""What a difference is about; the marks on a trend are of these."""
_GRAVITY: dict[Weight, int] = {weight: place for place, weight in enumerate(get_args(Weight))}

PLANNED_SETTINGS = frozenset(
    {
        "effective_cache_size",
        "jit",
        "max_parallel_workers_per_gather",
        "random_page_cost",
        "timescaledb.max_background_workers",
    }
)
"""Settings that Phase 4 sets itself (its database settings, and what an administrator is advised to set)."""
VOLUME_TOLD = 0.05
"""Own choice: data volumes that differ by less than a twentieth are called the same."""
VOLUME_MATTERS = 0.2
"""Own choice: from a fifth on, more or less data, or of them compressed, is a cause of another speed by itself."""
SHARE_TOLD = 0.02
"""Own choice: compressed shares closer than two points are called the same."""
ANCHOR_AGE_TOLD = timedelta(days=1)
"""Own choice: from a day on, queries that mean the last hours read older data, more likely compressed."""

_SPOILS = "The sides did not measure the same thing, so no difference in speed can be put down to a change."
_CAUSE = "It can make queries faster or slower by itself."
_LITTLE = "Too little to explain much by itself."
_PLANNED = "The deployment changes it."
_UNTOLD = "not told"


class Meaning(NamedTuple):
    """What a difference would mean."""

    weight: Weight
    remark: str
    topic: Topic


_LOOKED_AT = Meaning("expected", "This is the change that is looked at.", "deployment")
_OTHER_DATABASE = Meaning("spoils", _SPOILS, "database")
_OTHER_MACHINE = Meaning("spoils", _SPOILS, "hardware")
_OTHER_VERSION = Meaning("another cause", _CAUSE, "version")

_OTHER_QUESTIONS = Meaning("spoils", "The sides have no question in common: nothing was asked of both.", "run")
_TEXTS = "Texts of the benchmarks (fingerprint)"

_OF_RUNS: tuple[tuple[str, Callable[[RunHeader], str], Meaning], ...] = (
    ("Database", lambda run: source_text(run.source), _OTHER_DATABASE),
    ("Origin of the data", lambda run: run.origin, _OTHER_DATABASE),
    (
        "Circumstances",
        lambda run: "told" if run.surroundings else _UNTOLD,
        Meaning(
            "another cause",
            "An imported report does not tell versions, settings, hardware and data volume: none can be ruled out.",
            "run",
        ),
    ),
    (
        _TEXTS,
        lambda run: run.suite_hash[:12],
        Meaning("noted", "Benchmarks whose own question differs are not compared.", "run"),
    ),
    (
        "Length of the run",
        lambda run: "quick" if run.is_quick else "full",
        Meaning("noted", "A quick run takes fewer samples, which widens the intervals.", "run"),
    ),
    (
        "Completeness",
        lambda run: "stopped early" if run.is_partial else "complete",
        Meaning("noted", "Benchmarks that a stopped run did not reach are missing in it.", "run"),
    ),
)
_OF_SERVERS: tuple[tuple[str, Callable[[Surroundings], str], Meaning], ...] = (
    ("Protocol", lambda one: one.protocol, _OTHER_MACHINE),
    ("PostgreSQL", lambda one: one.postgres_version, _OTHER_VERSION),
    ("TimescaleDB", lambda one: one.timescaledb_version, _OTHER_VERSION),
    ("Edition of TimescaleDB", lambda one: one.edition, _OTHER_VERSION),
    ("Policy in force (fingerprint)", lambda one: (one.policy_hash or "none")[:12], _LOOKED_AT),
    ("Version of ms5ops", lambda one: one.tool_version, Meaning("noted", "It took the measurements.", "run")),
)


_BESIDES = "The rows are as many; compression saves room, and aggregates, indexes and what a rollback needs take some."


@dataclass(frozen=True)
class Difference:
    """One difference. ``before`` and ``after`` are texts for people; ``remark`` says what it means, in a sentence."""

    subject: str
    before: str
    after: str
    weight: Weight
    remark: str
    topic: Topic


def differences(
    before: Sequence[RunHeader],
    after: Sequence[RunHeader],
    deployment_names: Mapping[str, str] | None = None,
    *,
    is_other_suite: bool = False,
) -> tuple[Difference, ...]:
    """What is not the same in all runs of both sides, the gravest first.

    Compressed share, settings of ``PLANNED_SETTINGS`` and less data are expected where the sides stand under
    different deployments or policies, and another cause otherwise. ``deployment_names``: what people call them, by id.
    ``is_other_suite``: the sides have no question in common.
    """
    found = [*_of_headers(before, after, is_other_suite=is_other_suite)]
    old, new = ([run.surroundings for run in side if run.surroundings is not None] for side in (before, after))
    if old and new:
        found += [*_of_servers(old, new, deployment_names or {}), *_of_settings(old, new), *_of_volume(old, new)]
    return tuple(sorted(found, key=lambda difference: _GRAVITY[difference.weight]))


def _of_headers(
    before: Sequence[RunHeader], after: Sequence[RunHeader], *, is_other_suite: bool
) -> Iterator[Difference]:
    for subject, text, usual in _OF_RUNS:
        meaning = _OTHER_QUESTIONS if is_other_suite and subject == _TEXTS else usual
        yield from _told(subject, [text(run) for run in before], [text(run) for run in after], meaning)
    old, new = _anchor_age(before), _anchor_age(after)
    if abs(old - new) >= ANCHOR_AGE_TOLD:
        yield Difference(
            "Age of the data asked for",
            _age_text(old),
            _age_text(new),
            "another cause",
            "Older data are more likely compressed, and less likely in memory.",
            "run",
        )


def _of_servers(
    before: Sequence[Surroundings], after: Sequence[Surroundings], deployment_names: Mapping[str, str]
) -> Iterator[Difference]:
    def deployment(one: Surroundings) -> str:
        return deployment_names.get(one.deployment_id, one.deployment_id[:12]) if one.deployment_id else "none"

    every = [*before, *after]
    untold = Meaning("noted", "It is only known for some of the runs.", "hardware")
    for topic in sorted({topic for one in every for topic in one.hardware}):
        old, new = ([one.hardware.get(topic, _UNTOLD) for one in side] for side in (before, after))
        if all(topic in one.hardware for one in every):
            yield from _told(_capital(topic), old, new, _OTHER_MACHINE)
        else:
            yield from _told(_capital(topic), old, new, untold)
    for subject, text, meaning in _OF_SERVERS:
        yield from _told(subject, [text(one) for one in before], [text(one) for one in after], meaning)
    old, new = ([deployment(one) for one in side] for side in (before, after))
    yield from _told("Deployment in force", old, new, _LOOKED_AT)


def _of_settings(before: Sequence[Surroundings], after: Sequence[Surroundings]) -> Iterator[Difference]:
    deployed = _is_deployed(before, after)
    for name in sorted({name for one in (*before, *after) for name in one.settings}):
        old, new = ([one.settings.get(name, _UNTOLD) for one in side] for side in (before, after))
        meaning = _by_deployment("settings") if deployed and name in PLANNED_SETTINGS else _by_itself("settings")
        yield from _told(f"Setting {name}", old, new, meaning)


def _of_volume(before: Sequence[Surroundings], after: Sequence[Surroundings]) -> Iterator[Difference]:
    deployed = _is_deployed(before, after)
    old, new = (_middle(one.rows for one in side) for side in (before, after))
    rows = [*_volume("Rows", old, new, count_text, deployed)]
    yield from rows
    is_as_many = not rows and old is not None and new is not None
    old, new = (_middle(one.database_bytes for one in side) for side in (before, after))
    sizes = _volume("Size of the database", old, new, bytes_text, deployed)
    yield from (replace(one, weight="expected", remark=_BESIDES) for one in sizes) if deployed and is_as_many else sizes
    old, new = (_middle(one.compressed_share for one in side) for side in (before, after))
    if old == new or (old is not None and new is not None and abs(old - new) < SHARE_TOLD):
        return
    meaning = _by_deployment("volume") if deployed else _by_itself("volume")
    if not deployed and old is not None and new is not None and abs(old - new) < VOLUME_MATTERS:
        meaning = Meaning("noted", _LITTLE, "volume")
    yield Difference("Compressed share", percent_text(old), percent_text(new), *meaning)


def _volume(
    subject: str, old: float | None, new: float | None, text: Callable[[float | None], str], deployed: bool
) -> Iterator[Difference]:
    if old is None or new is None or max(old, new) <= 0 or abs(new - old) <= VOLUME_TOLD * max(old, new):
        return
    weight: Weight
    by = f"{change_text(new / old - 1)} of data." if old else "There was none before."
    if deployed and new < old:
        weight, remark = "expected", "A deployment compresses, and drops what is past its retention."
    elif abs(new - old) >= VOLUME_MATTERS * max(old, new):
        weight, remark = "another cause", "Queries have more or less to read."
    else:
        weight, remark = "noted", _LITTLE
    yield Difference(subject, text(old), text(new), weight, f"{by} {remark}", "volume")


def _told(subject: str, before: Sequence[str], after: Sequence[str], meaning: Meaning) -> Iterator[Difference]:
    """A difference where not all runs of both sides have the same text."""
    old, new = [*dict.fromkeys(before)], [*dict.fromkeys(after)]
    if len({*old, *new}) > 1:
        mixed = " The runs of one side differ among themselves." if max(len(old), len(new)) > 1 else ""
        yield Difference(subject, _and(old), _and(new), meaning.weight, meaning.remark + mixed, meaning.topic)


def _by_deployment(topic: Topic) -> Meaning:
    return Meaning("expected", _PLANNED, topic)


def _by_itself(topic: Topic) -> Meaning:
    return Meaning("another cause", _CAUSE, topic)


def _is_deployed(before: Sequence[Surroundings], after: Sequence[Surroundings]) -> bool:
    """Whether the sides stand under different deployments or policies."""
    old, new = ({(one.deployment_id, one.policy_hash) for one in side} for side in (before, after))
    return not old & new


def _middle(values: Iterable[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return float(median(told)) if told else None


def _anchor_age(runs: Sequence[RunHeader]) -> timedelta:
    return timedelta(seconds=median((run.started_at - run.anchor).total_seconds() for run in runs))


def _age_text(age: timedelta) -> str:
    return "up to now" if age < ANCHOR_AGE_TOLD else f"up to {duration_text(age.total_seconds())} before the run"


def _and(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
