"""The suite: which questions are asked, in which variants, and what is promised for each.

Every file of ``sql/benchmark/`` is a question or a variant of one; a folder below it is a page, whose panels a browser
asks for all at once. Besides the header of ``ms5ops.queries`` a question tells its ``group``, ``target_p95_ms``, what
it ``stands_for``, its ``twin`` (the question that must have the same answer from the other side) and which aggregates
it ``needs``. Files of one name are variants of one question: the one that needs most of what is there is asked, so that
a page can be measured before Phase 4 (from raw tables) and after it (from aggregates), and the two be compared.

Targets: ``phase4.md`` of MS5.0, performance targets (p95) and success criteria: recent 100 ms, short-term 500 ms,
historical 2 s, long-term 5 s, aggregates 50 ms, dashboards 2 s, reports 10 s.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache

from ms5ops.benchmark.records import GROUPS, Group
from ms5ops.errors import BenchmarkError
from ms5ops.observe.server import quoted
from ms5ops.queries import Query, catalogue

FOLDER = "benchmark"
CHOICES = "benchmark/choices"
_KEYS = ("group", "target_p95_ms", "stands_for", "twin", "needs")
DASHBOARD_TARGET_MS = 2_000.0


@dataclass(frozen=True)
class Question:
    """What is asked, in all its variants, those that need most first. ``text_hash`` is over all their texts."""

    name: str
    about: str
    stands_for: str
    group: Group
    target_p95_ms: float
    twin: str | None
    variants: tuple[Query, ...]

    @property
    def text_hash(self) -> str:
        """SHA-256 (64 hex digits) of the name and of the texts of all variants: changes when any of them does."""
        return _hash([self.name, *sorted(variant.sql for variant in self.variants)])

    def variant(self, there: Collection[str]) -> Query | None:
        """The variant to ask of a database that has these tables and aggregates; None where none fits."""
        return next((one for one in self.variants if needs(one) <= set(there)), None)

    def missing(self, there: Collection[str]) -> tuple[str, ...]:
        """What the least demanding variant needs and the database lacks."""
        return tuple(sorted(needs(self.variants[-1]) - set(there)))


@dataclass(frozen=True)
class Page:
    """A dashboard: its panels are sent at once, as a browser does, and it is loaded when the last has answered."""

    name: str
    about: str
    stands_for: str
    target_p95_ms: float
    panels: tuple[Question, ...]

    @property
    def text_hash(self) -> str:
        """SHA-256 of the name and of the panels' hashes."""
        return _hash([self.name, *sorted(panel.text_hash for panel in self.panels)])


@dataclass(frozen=True)
class Suite:
    """All questions and pages, by name."""

    questions: tuple[Question, ...]
    pages: tuple[Page, ...]

    @property
    def suite_hash(self) -> str:
        """SHA-256 of every text."""
        hashes = [one.text_hash for one in self.questions] + [page.text_hash for page in self.pages]
        return _hash(sorted(hashes))

    def of_groups(self, groups: Collection[Group]) -> "Suite":
        """Only these groups; all where none is named. Twins are checked within what is left."""
        if not groups:
            return self
        questions = tuple(one for one in self.questions if one.group in groups)
        return Suite(questions, self.pages if "dashboard" in groups else ())


_PAGES = {
    # Folder of panels: what it is, what it stands for.
    "plant_overview": (
        "Loading the plant overview: newest values, OEE and energy of the day, losses, changes, production.",
        "The real-time dashboard that every shift has open.",
    ),
    "metric_trend": (
        "Loading the trend page of one metric: newest samples, last day, week and month.",
        "What opens when an operator clicks a metric.",
    ),
}


@cache
def load_suite() -> Suite:
    """The whole suite; BenchmarkError names a file whose header is not as it has to be."""
    questions = tuple(_question(name, variants) for name, variants in _by_name(FOLDER).items())
    names = {question.name: question for question in questions}
    for question in questions:
        twin = names.get(question.twin) if question.twin else None
        if question.twin and (twin is None or twin.twin != question.name):
            raise BenchmarkError(
                f"The benchmark {question.name} names the twin {question.twin}, which does not name it.",
                "Correct the headers under sql/benchmark/.",
            )
    pages = tuple(
        Page(name, about, stands_for, DASHBOARD_TARGET_MS, _panels(name))
        for name, (about, stands_for) in _PAGES.items()
    )
    return Suite(questions, pages)


def needs(variant: Query) -> set[str]:
    """The aggregates that a variant reads."""
    return set(variant.extra.get("needs", "").replace(",", " ").split())


def bound(variant: Query, schema: str, parameters: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """A variant's text for one schema, with its parameters out of those of the run."""
    return variant.sql.replace("{schema}", quoted(schema)), {name: parameters[name] for name in variant.params}


def variant_name(variant: Query) -> str:
    """``raw`` for ``name.raw.sql``; what it needs, or "only one", for the main file."""
    return (variant.file.name.split(".")[1:-1] or [variant.extra.get("needs") or "only one"])[0]


def _by_name(folder: str) -> dict[str, list[Query]]:
    found: dict[str, list[Query]] = {}
    for query in catalogue(folder, _KEYS):
        found.setdefault(query.name, []).append(query)
    return {name: sorted(variants, key=lambda one: -len(needs(one))) for name, variants in found.items()}


def _question(name: str, variants: list[Query]) -> Question:
    first = variants[0]
    lacking = [key for key in ("group", "target_p95_ms", "stands_for") if key not in first.extra]
    if lacking or first.extra["group"] not in GROUPS:
        raise BenchmarkError(
            f"{first.file} does not tell {', '.join(lacking) or 'a known group'}.", "Correct its first lines."
        )
    group: Group = first.extra["group"]
    return Question(
        name=name,
        about=first.about,
        stands_for=first.extra["stands_for"],
        group=group,
        target_p95_ms=float(first.extra["target_p95_ms"]),
        twin=first.extra.get("twin"),
        variants=tuple(variants),
    )


def _panels(page: str) -> tuple[Question, ...]:
    return tuple(
        Question(name, variants[0].about, _PAGES[page][1], "dashboard", DASHBOARD_TARGET_MS, None, tuple(variants))
        for name, variants in _by_name(f"{FOLDER}/{page}").items()
    )


def _hash(parts: Collection[str]) -> str:
    return hashlib.sha256(json.dumps(list(parts)).encode("utf-8")).hexdigest()
