"""The suite: which questions are asked, in which variants, and what is promised for each.

A question has a name, a group with a target, what it stands for, its twin (the question that must have the same answer
from the other side) and which aggregates it needs. Files of one name are variants of one question: the one that needs
most of what is there is asked, so that a page can be measured before Phase 4 (from raw tables) and after it (from
aggregates), and the two be compared. Pages are dashboards, whose panels a browser asks for all at once. The files are
read by ``ms5ops.benchmark.suite_files``.

Targets of the suite that comes with ms5ops: ``phase4.md`` of MS5.0, performance targets (p95) and success criteria:
recent 100 ms, short-term 500 ms, historical 2 s, long-term 5 s, aggregates 50 ms, dashboards 2 s, reports 10 s.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ms5ops.benchmark.records import GROUPS, Group
from ms5ops.observe.server import quoted
from ms5ops.queries import Query

DASHBOARD_TARGET_MS = 2_000.0
NEWEST, NEWEST_COLUMN = "newest_sample", "newest"
NAME = "name"
"""The column of a choice that says in words what was chosen."""


@dataclass(frozen=True)
class Question:
    """What is asked, in all its variants, those that need most first. ``text_hash`` is over all their texts.

    ``many_clients``: whether it is among those that many clients ask at once.
    """

    name: str
    about: str
    stands_for: str
    group: Group
    target_p95_ms: float
    twin: str | None
    variants: tuple[Query, ...]
    many_clients: bool = False

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
    """All questions and pages, by name.

    ``choices``, by name, give what they are asked of: ``NEWEST`` the instant that a run takes as now, each of the
    others parameters by the names of its columns. ``folder`` is where an environment keeps questions of its own, None
    where they are those that come with ms5ops.
    """

    questions: tuple[Question, ...]
    pages: tuple[Page, ...]
    choices: Mapping[str, Query] = field(default_factory=dict)
    folder: Path | None = None

    @property
    def suite_hash(self) -> str:
        """SHA-256 of every text."""
        hashes = [one.text_hash for one in self.questions] + [page.text_hash for page in self.pages]
        return _hash(sorted(hashes))

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups that it asks of, in the order of GROUPS."""
        asked = {question.group for question in self.questions} | ({"dashboard"} if self.pages else set())
        return tuple(group for group in GROUPS if group in asked)

    @property
    def of_many_clients(self) -> tuple[Question, ...]:
        """The questions that many clients ask at once."""
        return tuple(question for question in self.questions if question.many_clients)

    @property
    def mix_hash(self) -> str | None:
        """What tells the mix of ``of_many_clients`` from another, so that only the same ones are compared.

        None for the suite that comes with ms5ops: its mix has been the same from the first run on, and runs that are
        stored have no such hash.
        """
        return None if self.folder is None else _hash(sorted(one.text_hash for one in self.of_many_clients))

    def of_groups(self, groups: Collection[Group]) -> "Suite":
        """Only these groups; all where none is named. Twins are checked within what is left."""
        if not groups:
            return self
        questions = tuple(one for one in self.questions if one.group in groups)
        return replace(self, questions=questions, pages=self.pages if "dashboard" in groups else ())


def needs(variant: Query) -> set[str]:
    """The aggregates that a variant reads."""
    return set(variant.extra.get("needs", "").replace(",", " ").split())


def gives(choice: Query) -> tuple[str, ...]:
    """The parameters that a choice gives."""
    return tuple(column for column in choice.columns if column != NAME)


def bound(variant: Query, schema: str, parameters: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """A variant's text for one schema, with its parameters out of those of the run."""
    return variant.sql.replace("{schema}", quoted(schema)), {name: parameters[name] for name in variant.params}


def variant_name(variant: Query) -> str:
    """``raw`` for ``name.raw.sql``; what it needs, or "only one", for the main file."""
    return (variant.file.name.split(".")[1:-1] or [variant.extra.get("needs") or "only one"])[0]


def _hash(parts: Collection[str]) -> str:
    return hashlib.sha256(json.dumps(list(parts)).encode("utf-8")).hexdigest()
